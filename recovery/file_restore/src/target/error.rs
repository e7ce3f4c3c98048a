//! What goes wrong with a target.

use std::error::Error;
use std::fmt;
use std::io;

/// A failure to write.
#[derive(Debug)]
pub struct TargetError {
    what: String,
    kind: Kind,
    source: Option<io::Error>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// This file cannot be written; others can.
    OneFile,
    /// What was to be made exists.
    Exists,
    /// Nothing more can be written.
    All,
    Cancelled,
}

impl TargetError {
    fn new(what: impl Into<String>, kind: Kind) -> Self {
        Self {
            what: what.into(),
            kind,
            source: None,
        }
    }

    /// Nothing more can be written: a full disk, a closed pipe.
    pub(crate) fn io(what: impl fmt::Display, error: io::Error) -> Self {
        Self {
            source: Some(error),
            ..Self::new(what.to_string(), Kind::All)
        }
    }

    /// This one cannot be written: it exists, its name is not allowed.
    pub(crate) fn of_file(what: impl Into<String>) -> Self {
        Self::new(what, Kind::OneFile)
    }

    /// The archive itself exists.
    pub(crate) fn exists(what: impl Into<String>) -> Self {
        Self::new(what, Kind::Exists)
    }

    pub(crate) fn cancelled() -> Self {
        Self::new("stopped", Kind::Cancelled)
    }

    /// Returns whether the others can still be written.
    pub fn is_of_one_file(&self) -> bool {
        self.kind == Kind::OneFile
    }

    /// Returns whether what was to be made exists.
    pub fn is_exists(&self) -> bool {
        self.kind == Kind::Exists
    }

    /// Returns whether the person stopped it.
    pub fn is_cancelled(&self) -> bool {
        self.kind == Kind::Cancelled
    }

    /// Returns whether there is no room left: a full disk, a quota, a limit.
    pub fn is_full(&self) -> bool {
        let kind = self.source.as_ref().map(io::Error::kind);
        kind.is_some_and(|kind| {
            matches!(
                kind,
                io::ErrorKind::StorageFull
                    | io::ErrorKind::QuotaExceeded
                    | io::ErrorKind::FileTooLarge
            )
        })
    }

    /// Returns whether who reads what is written has gone away.
    pub fn is_hung_up(&self) -> bool {
        let source = self.source.as_ref();
        source.is_some_and(|source| source.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl Error for TargetError {}
