//! What ext, XFS and Btrfs have in common: numbers in bytes, reading a volume, POSIX modes.

pub(crate) mod acl;
pub(crate) mod fields;
pub(crate) mod foreign_reader;
pub(crate) mod mapped_content;
pub(crate) mod mode;
pub(crate) mod volume_reader;

use crate::{FileError, FileErrorKind};

/// A failure where the bytes break the file system's rules.
pub(crate) fn corrupt(what: impl Into<String>) -> FileError {
    FileError::new(FileErrorKind::Corrupt, what)
}

/// A failure where the bytes are right and nothing here reads them.
pub(crate) fn unreadable(what: impl Into<String>) -> FileError {
    FileError::new(FileErrorKind::Unreadable, what)
}

/// A failure where something else was asked for.
pub(crate) fn wrong_kind(what: impl Into<String>) -> FileError {
    FileError::new(FileErrorKind::WrongKind, what)
}

/// A failure where there is no such thing.
pub(crate) fn not_found(what: impl Into<String>) -> FileError {
    FileError::new(FileErrorKind::NotFound, what)
}
