//! What a check found.

use serde::Serialize;

/// Something that a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable name, such as `VM-DISK-MISSING`; `lifeboat explain` tells more of it.
    pub id: String,
    /// How bad it is.
    pub severity: Severity,
    /// What was found, naming the file and the offset where there is one.
    pub text: String,
    /// What to do.
    pub cure: Option<String>,
}

impl Finding {
    /// Makes a finding that tells no cure.
    pub fn new(id: &str, severity: Severity, text: impl Into<String>) -> Self {
        Self {
            id: id.to_owned(),
            severity,
            text: text.into(),
            cure: None,
        }
    }

    /// Says what to do.
    #[must_use]
    pub fn cure(mut self, cure: impl Into<String>) -> Self {
        self.cure = Some(cure.into());
        self
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// The backup works, but not as one would wish.
    Warn,
    /// The backup cannot work.
    Block,
}
