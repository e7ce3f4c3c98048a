//! One thing that a rule objects to.

use std::fmt;

/// Whether a finding stops the build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Printed, nothing more.
    Warning,
    /// `cargo xtask tidy` fails.
    Failure,
}

/// Where, what, why, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The rule's name, as the list of exceptions spells it.
    pub(crate) rule: &'static str,
    pub(crate) weight: Weight,
    /// Path below the workspace root, with `/`.
    pub(crate) path: String,
    /// Line from 1; 1 where the whole file is meant.
    pub(crate) line: usize,
    pub(crate) what: String,
    pub(crate) why: &'static str,
    pub(crate) remedy: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weight = match self.weight {
            Weight::Warning => "warning",
            Weight::Failure => "error",
        };
        write!(
            f,
            "{}:{}: {weight}[{}]: {}\n    why: {}\n    do:  {}",
            self.path, self.line, self.rule, self.what, self.why, self.remedy
        )
    }
}
