//! Why there is no `virtdisk.dll` to use.

use std::error::Error;
use std::fmt;

/// This system has no virtual-disk interface that can tell what changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absent {
    why: String,
}

impl Absent {
    /// Says why.
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into() }
    }
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl Error for Absent {}
