//! What a check found.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::maintain::check::damage::{Damage, LostStream, is_damage};
use crate::{RepositoryError, RepositoryErrorKind};

/// What a check found.
#[derive(Debug, Default, Serialize)]
pub struct CheckReport {
    /// Restore points that were walked.
    pub points: u64,
    /// Map nodes that were read: each once, however many points share it.
    pub nodes: u64,
    /// Packs that are there.
    pub packs: u64,
    /// Packs that were read as a whole.
    pub packs_read: u64,
    /// Frames that were decrypted and named anew (with reading of data).
    pub frames: u64,
    /// Bytes of packs that were read as a whole.
    pub read_bytes: u64,
    /// Objects of domains whose keys this key does not open: little was checked of them.
    pub other_domains: u64,
    /// What is not as it was written; empty for a good repository.
    pub damage: Vec<Damage>,
    /// What the restore points have lost by it, oldest point first.
    pub lost: Vec<LostStream>,
}

impl CheckReport {
    /// Says whether all that was looked at is as it was written.
    pub fn is_good(&self) -> bool {
        self.damage.is_empty() && self.lost.is_empty()
    }
}

/// A report that several threads add to.
#[derive(Default)]
pub(crate) struct Findings(Mutex<CheckReport>);

impl Findings {
    pub(crate) fn lock(&self) -> MutexGuard<'_, CheckReport> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what is wrong with an object. Fails where the error is not about what is stored.
    pub(crate) fn add(&self, error: &RepositoryError) -> Result<(), RepositoryError> {
        if error.kind() == RepositoryErrorKind::OtherDomain {
            self.lock().other_domains += 1;
            return Ok(());
        }
        if !is_damage(error) {
            // The store failed: that says nothing about what is stored.
            let what = format!("the check could not go on: {error}");
            return Err(RepositoryError::new(error.kind(), what));
        }
        self.lock().damage.push(Damage::of_object(error));
        Ok(())
    }

    pub(crate) fn into_report(self) -> CheckReport {
        let mut report = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        report.damage.sort();
        report.damage.dedup();
        report
    }
}
