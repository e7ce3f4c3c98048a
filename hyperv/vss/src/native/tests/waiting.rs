//! What takes long is waited for, stopped when asked, and ended after its limit.

use std::cell::Cell;
use std::time::Duration;

use super::stand_in::{component, options};
use super::*;
use crate::SnapshotKind;

/// `-1`: pending until it is stopped.
const FOR_EVER: u32 = u32::MAX;

#[test]
fn what_is_pending_is_waited_for() {
    let Some(stand_in) = StandIn::load() else {
        return;
    };
    let mut backup = stand_in.prepared();
    stand_in.tell("pending DoSnapshotSet", 3);
    backup.snapshot(&|| false).unwrap();
    assert_eq!(backup.snapshots().unwrap().len(), 2);
}

#[test]
fn a_person_who_asks_to_stop_is_heard_and_the_service_is_told() {
    let Some(stand_in) = StandIn::load() else {
        return;
    };
    let mut backup = stand_in.prepared();
    stand_in.tell("pending DoSnapshotSet", FOR_EVER);
    let asked = Cell::new(0);
    let cancelled = || {
        asked.set(asked.get() + 1);
        asked.get() > 1
    };
    let error = backup.snapshot(&cancelled).unwrap_err();
    assert_eq!(error.kind(), VssErrorKind::Cancelled, "{error}");
    assert_eq!(stand_in.record_of(&["Cancel"]), ["Cancel DoSnapshotSet"]);
    let error = backup.snapshots().unwrap_err();
    assert_eq!(error.kind(), VssErrorKind::BadState);
    backup.abort();
    drop(backup);
    stand_in.assert_nothing_is_alive();
    let removed = stand_in.record_of(&["AbortBackup", "DeleteSnapshots"]);
    assert_eq!(removed.len(), 2, "{removed:?}");
}

#[test]
fn a_step_ends_after_its_limit() {
    let Some(mut stand_in) = StandIn::load() else {
        return;
    };
    stand_in.vss.limits.step = Duration::from_millis(250);
    let mut backup = stand_in.prepared();
    stand_in.tell("pending DoSnapshotSet", FOR_EVER);
    let error = backup.snapshot(&|| false).unwrap_err();
    assert_eq!(error.kind(), VssErrorKind::Retryable, "{error}");
    assert!(error.to_string().contains("took longer"), "{error}");
    assert_eq!(stand_in.record_of(&["Cancel"]), ["Cancel DoSnapshotSet"]);
    drop(backup);
    stand_in.assert_nothing_is_alive();
}

#[test]
fn a_call_that_never_comes_back_is_given_up_and_costs_its_backup_alone() {
    let Some(mut stand_in) = StandIn::load() else {
        return;
    };
    let limits = stand_in.vss.limits;
    let soon = Duration::from_millis(100);
    stand_in.vss.limits = Limits {
        step: soon,
        cancel: soon,
        grace: soon,
    };
    let mut stuck = stand_in.vss.begin(&options(SnapshotKind::Backup)).unwrap();
    stuck.writers(&|| false).unwrap();
    stand_in.tell("hang AddComponent", 1500);
    let error = stuck.add_component(&component()).unwrap_err();
    assert_eq!(error.kind(), VssErrorKind::Retryable, "{error}");
    assert!(error.to_string().contains("did not answer"), "{error}");
    let error = stuck.start_set().unwrap_err();
    assert!(error.to_string().contains("not tried"), "{error}");
    stuck.abort();
    drop(stuck);
    stand_in.tell("hang AddComponent", 0);
    stand_in.vss.limits = limits;
    let mut other = stand_in.prepared();
    other.snapshot(&|| false).unwrap();
    drop(other);
    // The stuck one goes when its call comes back.
    stand_in.assert_nothing_is_alive();
}
