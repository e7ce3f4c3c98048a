//! Why the simulated host could not do something.

use std::error::Error;
use std::fmt;

use block_io::{DiskError, DiskErrorKind};

/// What sort of failure this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SimErrorKind {
    /// There is no such VM, checkpoint, reference point, job or disk.
    NotFound,
    /// Another operation of the VM stands in the way; it may work later.
    Conflict,
    /// A parameter cannot be meant.
    InvalidParameter,
    /// The VM or the object is not in a state for this.
    InvalidState,
    /// This host, or this kind of disk, cannot do that.
    NotSupported,
    /// The operation failed, as it may fail on a real host.
    Failed,
    /// The volume is full.
    NoSpace,
    /// Change tracking has no answer; the code says why.
    Tracking,
    /// The folder of the simulated host cannot be read or written, or holds nonsense.
    Storage,
}

/// A failure of the simulated host, with the code that Hyper-V would give.
#[derive(Debug)]
pub struct SimError {
    kind: SimErrorKind,
    code: u32,
    message: String,
    details: Vec<(u32, String)>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl SimError {
    /// Makes an error with the usual code of its kind. `message` has no full stop.
    pub fn new(kind: SimErrorKind, message: impl Into<String>) -> Self {
        let code = match kind {
            SimErrorKind::NotFound => 32779,
            SimErrorKind::Conflict | SimErrorKind::InvalidState => 32775,
            SimErrorKind::InvalidParameter => 32773,
            SimErrorKind::NotSupported => 32770,
            SimErrorKind::Failed
            | SimErrorKind::NoSpace
            | SimErrorKind::Tracking
            | SimErrorKind::Storage => 32768,
        };
        Self {
            kind,
            code,
            message: message.into(),
            details: Vec::new(),
            source: None,
        }
    }

    /// Replaces the code.
    #[must_use]
    pub fn with_code(mut self, code: u32) -> Self {
        self.code = code;
        self
    }

    /// Adds the messages that it is made of, each with its number.
    #[must_use]
    pub(crate) fn with_details(mut self, details: Vec<(u32, String)>) -> Self {
        self.details = details;
        self
    }

    /// Returns the messages that it is made of, each with its number; none where it is one.
    pub fn details(&self) -> &[(u32, String)] {
        &self.details
    }

    /// Wraps a failed system call on a file of the simulated host.
    pub(crate) fn io(what: impl fmt::Display, error: std::io::Error) -> Self {
        let mut wrapped = Self::new(SimErrorKind::Storage, format!("{what}: {error}"));
        wrapped.source = Some(Box::new(error));
        wrapped
    }

    /// Says that the VM is busy, in Hyper-V's own words (contract 7).
    pub(crate) fn conflict(vm: &str) -> Self {
        Self::new(
            SimErrorKind::Conflict,
            format!(
                "The virtual machine '{vm}' cannot start a backup operation because it is \
                 currently executing a conflicting operation. Try the backup again."
            ),
        )
    }

    /// Returns what sort of failure this is.
    pub fn kind(&self) -> SimErrorKind {
        self.kind
    }

    /// Returns the code that Hyper-V would give: one of the 32768 series, or for
    /// [`SimErrorKind::Tracking`] one of virtdisk's `0xC03A….`.
    pub fn code(&self) -> u32 {
        self.code
    }
}

impl fmt::Display for SimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for SimError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}

impl From<DiskError> for SimError {
    fn from(error: DiskError) -> Self {
        let kind = match error.kind() {
            DiskErrorKind::NoSpace => SimErrorKind::NoSpace,
            DiskErrorKind::OutOfRange => SimErrorKind::InvalidParameter,
            _ => SimErrorKind::Storage,
        };
        let mut wrapped = Self::new(kind, error.to_string());
        wrapped.source = Some(Box::new(error));
        wrapped
    }
}
