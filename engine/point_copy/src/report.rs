//! What a copy did.

use serde::Serialize;

/// How it went with a point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum CopyOutcome {
    /// It is in the target now.
    Copied {
        /// Data that was read from the source repository.
        read_bytes: u64,
        /// What the target grew by.
        stored_bytes: u64,
    },
    /// The target had it.
    There,
    /// It could not be read; the target does not have it.
    Failed {
        /// Why.
        why: String,
    },
}

/// A point, and how it went.
#[derive(Debug, Clone, Serialize)]
pub struct CopyItem {
    /// Id of the point.
    pub id: String,
    /// Name of the VM.
    pub vm: String,
    /// How it went.
    #[serde(flatten)]
    pub outcome: CopyOutcome,
}

/// What a copy did.
#[derive(Debug, Default, Serialize)]
pub struct CopyReport {
    /// Each point that was asked for.
    pub items: Vec<CopyItem>,
    /// Points of the source that could not be read at all.
    pub unreadable: Vec<String>,
}

impl CopyReport {
    /// Returns how many points were copied, were there, and failed or could not be read.
    pub fn counts(&self) -> (usize, usize, usize) {
        let count = |wanted: fn(&CopyOutcome) -> bool| {
            let items = self.items.iter();
            items.filter(|item| wanted(&item.outcome)).count()
        };
        (
            count(|outcome| matches!(outcome, CopyOutcome::Copied { .. })),
            count(|outcome| matches!(outcome, CopyOutcome::There)),
            count(|outcome| matches!(outcome, CopyOutcome::Failed { .. })) + self.unreadable.len(),
        )
    }
}
