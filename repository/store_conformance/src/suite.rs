//! All cases, in order.

use std::time::{Duration, SystemTime};

use object_store::{ObjectStore, StoreError};

use crate::case::CaseReport;
use crate::place::Place;
use crate::{
    clock, creating, large_objects, listing, locking, names, permissions, reading, removing,
};

/// How thorough the suite is.
#[derive(Debug, Clone, Copy)]
pub struct SuiteOptions {
    /// Objects of the longest listing; 0 leaves it out. A listing of S3 has pages of 1,000.
    pub listed_objects: usize,
    /// Length of the largest object; 0 leaves it out.
    pub large_object_bytes: usize,
    /// How long a listing may lag before the store is called unfit.
    pub listing_lag_max: Duration,
}

const LISTING_LAG_MAX: Duration = Duration::from_secs(60);

impl Default for SuiteOptions {
    fn default() -> Self {
        Self {
            listed_objects: 1_100,
            large_object_bytes: 64 << 20,
            listing_lag_max: LISTING_LAG_MAX,
        }
    }
}

impl SuiteOptions {
    /// Leaves out what takes long.
    pub fn quick() -> Self {
        Self {
            listed_objects: 0,
            large_object_bytes: 0,
            listing_lag_max: LISTING_LAG_MAX,
        }
    }
}

/// What came of the suite.
#[derive(Debug, Clone)]
pub struct SuiteReport {
    /// The cases in the order in which they ran.
    pub cases: Vec<CaseReport>,
    /// Where the objects of the suite lay.
    pub prefix: String,
    /// How many of them could not be removed.
    pub left_objects: u64,
    /// Until when a lock keeps them, where that is why.
    pub left_until: Option<SystemTime>,
    /// Why the first of them could not be removed, or why they could not be listed.
    pub left_why: Option<String>,
}

impl SuiteReport {
    /// Returns how many cases failed.
    pub fn failures(&self) -> usize {
        let failed = |case: &&CaseReport| case.outcome.is_failure();
        self.cases.iter().filter(failed).count()
    }
}

/// Runs all cases against a store, calls `observe` after each, and cleans up.
///
/// `second` is another handle of the same store: what one writes the other must see. Where the
/// account lacks a right nothing else is tried. Fails only where this machine has no random
/// numbers.
pub fn run_suite(
    store: &dyn ObjectStore,
    second: &dyn ObjectStore,
    options: SuiteOptions,
    observe: &mut dyn FnMut(&CaseReport),
) -> Result<SuiteReport, StoreError> {
    let place = Place::new(store, second, options)?;
    let groups = [
        permissions::CASES,
        creating::CASES,
        reading::CASES,
        listing::CASES,
        removing::CASES,
        names::CASES,
        clock::CASES,
        large_objects::CASES,
        locking::CASES,
    ];
    let mut cases = Vec::new();
    for (number, case) in groups.into_iter().flatten().enumerate() {
        let report = case.report(&place);
        observe(&report);
        let refused = number == 0 && report.outcome.is_failure();
        cases.push(report);
        if refused {
            break;
        }
    }
    let left = place.clean_up();
    Ok(SuiteReport {
        cases,
        prefix: place.prefix().to_owned(),
        left_objects: left.objects,
        left_until: left.locked_until,
        left_why: left.why,
    })
}

#[cfg(test)]
mod tests;
