//! The host's clock, and what comes due on it.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::host_state::HostState;
use crate::{Job, JobState, SimError};

/// How long a job stays after its end (contract 0.3).
const REMOVAL_MS: i64 = 5 * 60 * 1000;

/// A time that does not come.
pub(crate) const FAR_FUTURE: Timestamp = Timestamp::MAX;

/// Moves the clock, and does what has come due meanwhile, in order.
pub(crate) fn pass(state: &mut HostState, duration: Duration) -> Result<(), SimError> {
    let began = state.now;
    let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    let end = later(began, millis);
    while let Some((due, vm, job)) = next_due(state, end) {
        state.now = state.now.max(due);
        job_came_due(state, vm, job)?;
    }
    state.now = end;
    grow_volumes(state, began, end)
}

/// Returns a time some milliseconds later.
pub(crate) fn later(time: Timestamp, millis: i64) -> Timestamp {
    let sum = time.as_millisecond().saturating_add(millis);
    Timestamp::from_millisecond(sum).unwrap_or(Timestamp::MAX)
}

/// Returns when something happens to a job next, as long as nobody interferes.
fn due_time(job: &Job) -> Option<Timestamp> {
    match job.state {
        JobState::New => Some(job.starts),
        JobState::Starting => Some(later(job.starts, 1)),
        JobState::Running if job.hangs() => None,
        JobState::Running => Some(job.ends),
        _ => job.finished.map(|finished| later(finished, REMOVAL_MS)),
    }
}

/// Finds what comes due first, up to `end`.
fn next_due(state: &mut HostState, end: Timestamp) -> Option<(Timestamp, Uuid, Uuid)> {
    if state.next_due.is_some_and(|due| due > end) {
        return None;
    }
    let due = |job: &Job| Some((due_time(job)?, job.vm, job.id));
    let first = state.jobs().filter_map(due).min();
    state.next_due = Some(first.map_or(Timestamp::MAX, |(due, _, _)| due));
    first.filter(|(due, _, _)| *due <= end)
}

fn job_came_due(state: &mut HostState, vm: Uuid, id: Uuid) -> Result<(), SimError> {
    let job = state.job(id)?;
    match job.state {
        JobState::New => state.set_job_state(vm, id, JobState::Starting),
        JobState::Starting => state.set_job_state(vm, id, JobState::Running),
        JobState::Running => state.complete_job(vm, id),
        _ => state.remove_job(vm, id),
    }
}

fn grow_volumes(state: &mut HostState, began: Timestamp, end: Timestamp) -> Result<(), SimError> {
    let millis = u64::try_from(end.as_millisecond() - began.as_millisecond()).unwrap_or(0);
    let grows = |volume: &crate::Volume| volume.growth_bytes_per_second > 0;
    if !state.facts.volumes.iter().any(grows) {
        return Ok(());
    }
    for volume in &mut state.facts_mut().volumes {
        let grown = u128::from(volume.growth_bytes_per_second) * u128::from(millis) / 1000;
        let grown = u64::try_from(grown).unwrap_or(u64::MAX);
        volume.consumed_bytes = volume.consumed_bytes.saturating_add(grown);
    }
    state.pause_where_full()
}
