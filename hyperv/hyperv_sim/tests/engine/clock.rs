//! Jobs on the virtual clock.

use std::time::Duration;

use hyperv_sim::{JobKind, JobState, SimErrorKind};

use crate::fixture::{Fixture, MIB};

#[test]
fn a_merge_waits_runs_and_is_remembered_for_five_minutes() {
    let test = Fixture::new();
    let vm = test.vm();
    let snapshot = test.recovery(vm);
    test.host.write(vm, 0, MIB, &[7; 4096]).unwrap();
    test.host.convert_checkpoint(snapshot).unwrap();
    let merging = test.host.vm(vm).unwrap();
    assert_eq!(merging.operational_status(), [2, 32772]);
    assert_eq!(merging.pending_merge().unwrap().state, JobState::New);
    let conflict = test.try_recovery(vm).unwrap_err();
    assert_eq!(
        (conflict.kind(), conflict.code()),
        (SimErrorKind::Conflict, 32775)
    );
    assert!(
        conflict
            .to_string()
            .contains("currently executing a conflicting operation")
    );
    test.host.advance(Duration::from_millis(600)).unwrap();
    let running = test.host.vm(vm).unwrap();
    assert_eq!(running.pending_merge().unwrap().state, JobState::Running);
    test.host.settle().unwrap();
    let merged = test.host.vm(vm).unwrap();
    assert_eq!(merged.operational_status(), [2]);
    let done = |job: &hyperv_sim::Job| job.kind == JobKind::MergingDisks;
    assert!(merged.jobs.iter().any(done));
    assert!(merged.disks[0].path.ends_with("web.vhdx"));
    test.host.advance(Duration::from_secs(301)).unwrap();
    assert!(test.host.vm(vm).unwrap().jobs.is_empty());
}

#[test]
fn a_busy_vm_refuses_and_is_free_again_later() {
    let test = Fixture::new();
    let vm = test.vm();
    test.host.keep_busy(vm, Duration::from_secs(60)).unwrap();
    assert_eq!(
        test.try_recovery(vm).unwrap_err().kind(),
        SimErrorKind::Conflict
    );
    test.host.advance(Duration::from_secs(61)).unwrap();
    test.recovery(vm);
}

#[test]
fn each_operation_moves_the_clock_by_a_millisecond() {
    let test = Fixture::new();
    let before = test.host.now().unwrap();
    let after = test.host.now().unwrap();
    assert_eq!(after.duration_since(before).as_millis(), 1);
}

#[test]
fn real_time_is_followed_when_asked() {
    let test = Fixture::new();
    test.host.follow_real_time(true).unwrap();
    let before = test.host.now().unwrap();
    assert!(test.host.now().unwrap() > before);
}
