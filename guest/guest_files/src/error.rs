//! What goes wrong with a guest's files.

use std::error::Error;
use std::fmt;

use block_io::DiskError;
use serde::{Deserialize, Serialize};

/// What sort of failure this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FileErrorKind {
    /// There is no such file, folder or stream.
    NotFound,
    /// A folder was needed, or a file, or a link, and this is something else.
    WrongKind,
    /// The bytes break the file system's own rules.
    Corrupt,
    /// The bytes are right, and there is no reader for them: encrypted, deduplicated, a feature.
    Unreadable,
    /// The disk below could not be read.
    Disk,
}

/// A failure, with what was being read.
#[derive(Debug)]
pub struct FileError {
    kind: FileErrorKind,
    what: String,
    source: Option<DiskError>,
}

impl FileError {
    /// Makes an error: `what` says which thing, what was expected and what was found.
    pub fn new(kind: FileErrorKind, what: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
            source: None,
        }
    }

    /// Returns what sort of failure it is.
    pub fn kind(&self) -> FileErrorKind {
        self.kind
    }

    /// Returns what was being read, and what is wrong with it, without its cause.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Says in front what was being read.
    #[must_use]
    pub fn of(mut self, what: impl fmt::Display) -> Self {
        self.what = if self.what.is_empty() {
            what.to_string()
        } else {
            format!("{what}: {}", self.what)
        };
        self
    }
}

impl From<DiskError> for FileError {
    fn from(source: DiskError) -> Self {
        Self {
            kind: FileErrorKind::Disk,
            what: "the volume could not be read".to_owned(),
            source: Some(source),
        }
    }
}

impl From<ntfs_format::Malformed> for FileError {
    fn from(malformed: ntfs_format::Malformed) -> Self {
        Self::new(FileErrorKind::Corrupt, malformed.what())
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl Error for FileError {}
