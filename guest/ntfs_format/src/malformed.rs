//! What breaks the format's rules.

use std::error::Error;
use std::fmt;

/// A structure that is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(&'static str);

/// What parsing leads to.
pub type Parsed<T> = Result<T, Malformed>;

impl Malformed {
    /// Says what is wrong: lower case, no full stop.
    pub const fn new(what: &'static str) -> Self {
        Self(what)
    }

    /// Returns what is wrong.
    pub fn what(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Malformed {}

/// Fails unless `holds`.
pub(crate) fn ensure(holds: bool, what: &'static str) -> Parsed<()> {
    if holds {
        Ok(())
    } else {
        Err(Malformed::new(what))
    }
}
