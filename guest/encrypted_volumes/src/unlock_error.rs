//! Why a volume stays closed.

use std::error::Error;
use std::fmt;

use block_io::DiskError;

/// A failure to open a volume. It names no secret.
#[derive(Debug)]
pub struct UnlockError {
    kind: UnlockErrorKind,
    what: String,
    source: Option<DiskError>,
}

/// What sort of failure this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnlockErrorKind {
    /// No slot or protector opens with this password, recovery key or key file.
    WrongKey,
    /// The volume is made in a way that is not known here.
    Unsupported,
    /// The header contradicts itself or the volume, or it is none.
    Corrupt,
    /// The disk could not be read.
    Disk,
}

impl UnlockError {
    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Self::new(UnlockErrorKind::Unsupported, what)
    }

    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self::new(UnlockErrorKind::Corrupt, what)
    }

    pub(crate) fn new(kind: UnlockErrorKind, what: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
            source: None,
        }
    }

    /// Returns what sort of failure this is.
    pub fn kind(&self) -> UnlockErrorKind {
        self.kind
    }
}

impl From<DiskError> for UnlockError {
    fn from(source: DiskError) -> Self {
        Self {
            kind: UnlockErrorKind::Disk,
            what: "the encrypted volume could not be read".to_owned(),
            source: Some(source),
        }
    }
}

impl fmt::Display for UnlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl Error for UnlockError {}
