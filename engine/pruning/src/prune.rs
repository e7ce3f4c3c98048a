//! Removing what a plan says.

use std::collections::HashSet;
use std::error::Error;

use jiff::Timestamp;
use repository::{Removal, Repository, RepositoryError, RepositoryErrorKind};
use serde::Serialize;

use crate::{PlannedPoint, PrunePlan, VmRules, plan_prune};

/// Hears what is done.
pub trait PruneObserver {
    /// A point's turn has come and gone.
    fn done(&self, outcome: &PruneOutcome);
    /// Returns whether the person asked to stop.
    fn cancelled(&self) -> bool;
}

/// What became of a point that was to go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "became", rename_all = "kebab-case")]
pub enum PruneOutcome {
    /// It is gone.
    Removed {
        /// The point's id.
        point: String,
    },
    /// The store keeps it.
    Locked {
        /// The point's id.
        point: String,
        /// Until when, where the store says.
        until: Option<Timestamp>,
    },
    /// Read itself, it is to stay: it was pinned meanwhile, or a listing said something else.
    Stays {
        /// The point's id.
        point: String,
        /// Why.
        why: String,
    },
}

/// What a run of pruning did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PruneReport {
    /// What became of each point that was to go.
    pub outcomes: Vec<PruneOutcome>,
    /// Points that are gone.
    pub removed: u64,
    /// Points that the store keeps.
    pub locked: u64,
    /// Points that stay for another reason.
    pub stay: u64,
    /// Notes of points that were not there, and are gone.
    pub stray_notes: u64,
}

/// Removes what `plan` says, where the points themselves say the same.
///
/// What was removed before an error stays removed; the rest is whole.
pub fn prune(
    repository: &Repository,
    plan: &PrunePlan,
    rules: &VmRules,
    observer: &dyn PruneObserver,
) -> Result<PruneReport, Box<dyn Error + Send + Sync>> {
    let mut report = PruneReport::default();
    let losing: HashSet<String> = plan.removed().map(|(vm, _)| vm.identity.clone()).collect();
    if !losing.is_empty() {
        let now = repository.store_time()?;
        let anew = repository.catalog_read_anew(&losing)?;
        let anew = plan_prune(&anew, rules, None, now)?;
        let agreed: HashSet<&str> = anew
            .removed()
            .map(|(_, point)| point.object.as_str())
            .collect();
        for (vm, point) in plan.removed() {
            if observer.cancelled() {
                return Err(cancelled().into());
            }
            let outcome = if agreed.contains(point.object.as_str()) {
                remove(repository, &vm.identity, point, now)?
            } else {
                let why = "the points themselves say something else than the listing did";
                Some(stays(point, why))
            };
            if let Some(outcome) = outcome {
                observer.done(&outcome);
                report.count(outcome);
            }
        }
    }
    report.stray_notes = repository.remove_stray_notes()?;
    // Roll-ups tell of points that are gone; that is a matter of size alone.
    drop(repository.roll_up_points());
    Ok(report)
}

/// Removes a point; `None` where somebody else was faster.
fn remove(
    repository: &Repository,
    identity: &str,
    point: &PlannedPoint,
    now: Timestamp,
) -> Result<Option<PruneOutcome>, RepositoryError> {
    let id = point.decision.id.clone();
    let removal = repository.remove_point_with_notes(&point.object, |summary, notes| {
        summary.vm.identity == identity && summary.started == point.time && !notes.keep(now)
    })?;
    Ok(match removal {
        Removal::Removed => Some(PruneOutcome::Removed { point: id }),
        Removal::Gone => None,
        Removal::Locked(until) => Some(PruneOutcome::Locked { point: id, until }),
        _ => Some(stays(point, "a note keeps it, or it is another point")),
    })
}

fn stays(point: &PlannedPoint, why: &str) -> PruneOutcome {
    PruneOutcome::Stays {
        point: point.decision.id.clone(),
        why: why.to_owned(),
    }
}

fn cancelled() -> RepositoryError {
    RepositoryError::new(RepositoryErrorKind::Cancelled, "cancelled")
}

impl PruneReport {
    fn count(&mut self, outcome: PruneOutcome) {
        match outcome {
            PruneOutcome::Removed { .. } => self.removed += 1,
            PruneOutcome::Locked { .. } => self.locked += 1,
            PruneOutcome::Stays { .. } => self.stay += 1,
        }
        self.outcomes.push(outcome);
    }
}
