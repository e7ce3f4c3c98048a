//! One case and what came of it.

use object_store::StoreError;
use serde::Serialize;

use crate::place::Place;

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CaseOutcome {
    /// The store does what it must.
    Passed {
        /// What is good to know all the same.
        #[serde(skip_serializing_if = "Option::is_none")]
        remark: Option<String>,
    },
    /// The store does something else.
    Failed {
        /// What it did, and what it should have done.
        why: String,
    },
    /// The case says nothing about this store.
    NotApplicable {
        /// Why it does not.
        why: String,
    },
}

impl CaseOutcome {
    /// Returns whether the store does something that it must not.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }

    pub(crate) fn passed() -> Self {
        Self::Passed { remark: None }
    }

    pub(crate) fn passed_with(remark: impl Into<String>) -> Self {
        Self::Passed {
            remark: Some(remark.into()),
        }
    }

    pub(crate) fn not_applicable(why: impl Into<String>) -> Self {
        Self::NotApplicable { why: why.into() }
    }
}

/// A case that was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseReport {
    /// A short name that stays the same, such as `create-once`.
    pub name: &'static str,
    /// What must hold, in a few words.
    pub about: &'static str,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: CaseOutcome,
}

/// Why a case failed.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let mut text = format!("{:?}: {error}", error.kind());
        if let Some(source) = std::error::Error::source(&error) {
            text = format!("{text}: {source}");
        }
        Self(text)
    }
}

pub(crate) type CaseResult = Result<CaseOutcome, Failure>;

/// Fails a case with a text unless something holds.
pub(crate) fn must(holds: bool, why: impl FnOnce() -> String) -> Result<(), Failure> {
    match holds {
        true => Ok(()),
        false => Err(Failure(why())),
    }
}

/// A case that can be run.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: fn(&Place<'_>) -> CaseResult,
}

impl Case {
    pub(crate) fn report(&self, place: &Place<'_>) -> CaseReport {
        let outcome = match (self.run)(place) {
            Ok(outcome) => outcome,
            Err(Failure(why)) => CaseOutcome::Failed { why },
        };
        CaseReport {
            name: self.name,
            about: self.about,
            outcome,
        }
    }
}
