//! What goes wrong with a target.

use std::fmt;
use std::io;

/// A failure to write.
#[derive(Debug)]
pub struct TargetError {
    what: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// This file cannot be written; others can.
    OneFile,
    /// Nothing more can be written.
    All,
    Cancelled,
}

impl TargetError {
    /// Nothing more can be written: a full disk, a closed pipe.
    pub(crate) fn io(what: impl fmt::Display, error: &io::Error) -> Self {
        Self {
            what: format!("{what}: {error}"),
            kind: Kind::All,
        }
    }

    /// This one cannot be written: it exists, its name is not allowed.
    pub(crate) fn of_file(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            kind: Kind::OneFile,
        }
    }

    /// The content could not be read; its reader says more.
    pub(crate) fn of_source(what: String) -> Self {
        Self::of_file(what)
    }

    pub(crate) fn cancelled() -> Self {
        Self {
            what: "stopped".to_owned(),
            kind: Kind::Cancelled,
        }
    }

    /// Returns whether the others can still be written.
    pub fn is_of_one_file(&self) -> bool {
        self.kind == Kind::OneFile
    }

    /// Returns whether the person stopped it.
    pub fn is_cancelled(&self) -> bool {
        self.kind == Kind::Cancelled
    }
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for TargetError {}
