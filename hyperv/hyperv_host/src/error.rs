//! Why a host could not answer.

use std::error::Error;
use std::fmt;

use block_io::DiskError;

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
            Self::Disk => "disk",
        }
    }
}

/// A host's failure.
#[derive(Debug)]
pub struct HostError {
    kind: HostErrorKind,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl HostError {
    /// Makes an error; `message` has no full stop.
    pub fn new(kind: HostErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
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
