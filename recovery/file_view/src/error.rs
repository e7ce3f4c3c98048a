//! What goes wrong with a view.

use std::error::Error;
use std::fmt;

use guest_files::{FileError, FileErrorKind};

/// What sort of failure this is; a face turns it into a number of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ViewErrorKind {
    /// There is no such thing.
    NotFound,
    /// A folder was needed.
    NotAFolder,
    /// A folder was found where something else was needed.
    IsAFolder,
    /// Something else than what is there was needed: a link, content.
    WrongKind,
    /// The bytes are right, and there is no reader for them.
    Unsupported,
    /// The bytes are damaged, or could not be read.
    Unreadable,
    /// Too much is open at once.
    TooMany,
}

/// A failure, with what was being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewError {
    kind: ViewErrorKind,
    what: String,
}

impl ViewError {
    /// Makes an error.
    pub fn new(kind: ViewErrorKind, what: impl Into<String>) -> Self {
        let what = what.into();
        Self { kind, what }
    }

    /// Returns what sort of failure it is.
    pub fn kind(&self) -> ViewErrorKind {
        self.kind
    }
}

impl From<FileError> for ViewError {
    fn from(error: FileError) -> Self {
        let kind = match error.kind() {
            FileErrorKind::NotFound => ViewErrorKind::NotFound,
            FileErrorKind::WrongKind => ViewErrorKind::WrongKind,
            FileErrorKind::Unreadable => ViewErrorKind::Unsupported,
            _ => ViewErrorKind::Unreadable,
        };
        Self::new(kind, error.to_string())
    }
}

impl fmt::Display for ViewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for ViewError {}
