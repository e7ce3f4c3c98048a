//! Why a host could not answer.

use std::error::Error;
use std::fmt;

use block_io::DiskError;

use crate::Finding;

/// What sort of failure this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostErrorKind {
    /// The host, or the folder that stands for it, cannot be reached.
    Unreachable,
    /// No VM has this identity.
    NoSuchVm,
    /// The configuration cannot be read.
    Configuration,
    /// The host has no Hyper-V.
    NoHyperv,
    /// Rights are missing.
    Denied,
    /// A check says that this cannot work.
    Blocked,
    /// Another operation of the host stood in the way, every time.
    Busy,
    /// The level of consistency that was required was not reached.
    ConsistencyMissed,
    /// A volume of the host is about to fill.
    NoRoom,
    /// The host refused, or failed at, what was asked of it.
    Refused,
    /// The person asked to stop.
    Cancelled,
    /// A disk cannot be read; the cause is a [`DiskError`].
    Disk,
}

impl HostErrorKind {
    /// Returns the kind as programs read it, such as `no-space`. It never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::NoSuchVm => "no-such-vm",
            Self::Configuration => "configuration",
            Self::NoHyperv => "no-hyperv",
            Self::Denied => "denied",
            Self::Blocked => "blocked",
            Self::Busy => "busy",
            Self::ConsistencyMissed => "consistency-missed",
            Self::NoRoom => "no-room",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
            Self::Disk => "disk",
        }
    }
}

/// A host's failure.
#[derive(Debug)]
pub struct HostError {
    kind: HostErrorKind,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl HostError {
    /// Makes an error; `message` has no full stop.
    pub fn new(kind: HostErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            source: None,
        }
    }

    /// Makes the error of a finding that stands in the way.
    pub fn blocked(finding: &Finding) -> Self {
        let error = Self::new(
            HostErrorKind::Blocked,
            format!("{}: {}", finding.id, finding.text),
        );
        let cure = finding.cure.as_deref();
        error.hint(cure.unwrap_or("see what `lifeboat vm plan` says"))
    }

    /// Makes the error of a disk or file that cannot be read.
    pub fn of_disk(error: DiskError) -> Self {
        Self::new(HostErrorKind::Disk, error.to_string()).caused_by(error)
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Returns what to do.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Keeps the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns what sort of failure this is.
    pub fn kind(&self) -> HostErrorKind {
        self.kind
    }

    /// Returns the disk's own error, where a disk is the cause.
    pub fn disk_error(&self) -> Option<&DiskError> {
        self.source.as_ref()?.downcast_ref()
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for HostError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}
