//! What goes wrong on hosts, one thing at a time.

use std::time::Duration;

use hyperv_host::{HostErrorKind, HypervHost as _, Retry};
use hyperv_sim::{Effect, Fault, FaultPoint, Profile};

use crate::run::{Steps, back_up, read, request};
use crate::stage::{DISK_BYTES, Stage};

fn method(name: &str, effect: Effect) -> Fault {
    Fault::new(FaultPoint::Method(name.to_owned()), effect)
}

#[test]
fn a_host_without_bytes_or_journal_is_refused_by_name() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    let (session, host) = stage.connect_with_journal(None);
    let error = back_up(&stage, &host, vm, &request("1"), None).unwrap_err();
    assert!(error.to_string().contains("HOST-NO-JOURNAL"), "{error}");
    assert_eq!(session.call_count().of("CreateSnapshot"), 0);
    let host = stage.connect_without_bytes();
    let error = back_up(&stage, &host, vm, &request("1"), None).unwrap_err();
    assert!(error.to_string().contains("HOST-NO-BYTES"), "{error}");
}

#[test]
fn a_vm_that_is_busy_is_waited_for_and_given_up_in_the_end() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    let (_, host) = stage.connect();
    stage.sim.keep_busy(vm, Duration::from_secs(40)).unwrap();
    let before = stage.sim.ledger().unwrap();
    back_up(&stage, &host, vm, &request("1"), None).unwrap();
    stage.sim.keep_busy(vm, Duration::from_secs(4000)).unwrap();
    let mut impatient = request("2");
    impatient.retry = Retry {
        attempts: 3,
        first_wait: Duration::from_secs(10),
    };
    let error = back_up(&stage, &host, vm, &impatient, None).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Busy, "{error}");
    assert!(error.to_string().contains("30 s"), "{error}");
    stage.sim.advance(Duration::from_secs(4000)).unwrap();
    drop(before);
    assert_eq!(stage.journal_entries(), 0);
}

#[test]
fn a_conflict_in_the_host_s_own_words_is_retried() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    let before = stage.ledger();
    stage
        .sim
        .plan_fault(method("CreateSnapshot", Effect::Conflict).first(2))
        .unwrap();
    let (session, host) = stage.connect();
    let point = back_up(&stage, &host, vm, &request("1"), None).unwrap();
    assert_eq!(session.call_count().of("CreateSnapshot"), 3);
    assert_eq!(
        point.consistency.level,
        hyperv_host::Consistency::Application
    );
    assert_eq!(stage.differences(&before), []);
    stage
        .sim
        .plan_fault(method("CreateSnapshot", Effect::Conflict))
        .unwrap();
    let error = back_up(&stage, &host, vm, &request("2"), None).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Busy);
    assert!(
        error.to_string().contains("conflicting operation"),
        "{error}"
    );
}

#[test]
fn a_conversion_that_fails_still_gives_a_point_and_the_next_run_is_full() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    let (_, host) = stage.connect();
    let first = back_up(&stage, &host, vm, &request("1"), None).unwrap();
    let before = stage.ledger();
    let text = "Failed to write VHD attachment (0x8007052F)".to_owned();
    let fault = Effect::JobFails { code: 32768, text };
    stage
        .sim
        .plan_fault(method("ConvertToReferencePoint", fault).nth(1))
        .unwrap();
    let second = back_up(&stage, &host, vm, &request("2"), Some(&first)).unwrap();
    assert_eq!(second.ids(), ["VM-NO-REFERENCE-POINT"]);
    assert_eq!((second.cursors(), stage.journal_entries()), (0, 0));
    assert_eq!(
        stage.reference_points(vm).len(),
        0,
        "nobody needs the older one"
    );
    assert_eq!(stage.differences(&before), []);
    let third = back_up(&stage, &host, vm, &request("3"), Some(&second)).unwrap();
    let reason = hyperv_host::FullReason::NoReferencePoint;
    assert_eq!(third.reasons, [Some(reason); 2]);
    assert_eq!(third.cursors(), 2);
}

#[test]
fn a_job_that_never_ends_is_ended_where_it_lets_itself_be() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    let before = stage.ledger();
    stage
        .sim
        .plan_fault(method("CreateSnapshot", Effect::JobHangs).nth(1))
        .unwrap();
    let (_, host) = stage.connect();
    let error = back_up(&stage, &host, vm, &request("1"), None).unwrap_err();
    assert!(error.to_string().contains("had not ended"), "{error}");
    stage.sim.clear_faults().unwrap();
    if stage.journal_entries() > 0 {
        // It goes on: the journal waits for it, and so does the next run.
        let error = back_up(&stage, &host, vm, &request("2"), None).unwrap_err();
        assert!(
            error.to_string().contains("RESIDUE-JOB") || error.to_string().contains("busy"),
            "{error}"
        );
        stage.sim.crash_host(false).unwrap();
        stage.sim.start(vm).unwrap();
    }
    back_up(&stage, &host, vm, &request("3"), None).unwrap();
    assert_eq!(stage.differences(&before), []);
    assert_eq!(stage.journal_entries(), 0);
}

#[test]
fn a_merge_that_hangs_blocks_the_next_run_until_it_is_over() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    let before = stage.ledger();
    let (_, host) = stage.connect();
    stage
        .sim
        .spoil_merges(vm, Some(hyperv_sim::JobFault::Hang))
        .unwrap();
    let first = back_up(&stage, &host, vm, &request("1"), None).unwrap();
    assert_eq!(first.ids(), ["VM-MERGE-RUNNING"]);
    assert_eq!(stage.journal_entries(), 1);
    let error = back_up(&stage, &host, vm, &request("2"), Some(&first)).unwrap_err();
    assert!(
        matches!(error.kind(), HostErrorKind::Blocked | HostErrorKind::Busy),
        "{error}"
    );
    // The host restarts, and merges.
    stage.sim.spoil_merges(vm, None).unwrap();
    stage.sim.crash_host(false).unwrap();
    stage.sim.start(vm).unwrap();
    stage.sim.settle().unwrap();
    let third = back_up(&stage, &host, vm, &request("3"), Some(&first)).unwrap();
    assert_eq!(third.reasons, [None; 2]);
    assert_eq!(stage.differences(&before), []);
    assert_eq!(stage.journal_entries(), 0);
}

#[test]
fn a_merge_that_failed_for_good_blocks_the_next_run_by_name() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    let (_, host) = stage.connect();
    let fault = hyperv_sim::JobFault::Fail {
        code: 32768,
        description: "0x80070020".to_owned(),
        after_effect: false,
    };
    stage.sim.spoil_merges(vm, Some(fault)).unwrap();
    let first = back_up(&stage, &host, vm, &request("1"), None).unwrap();
    assert_eq!(first.ids(), ["VM-MERGE-RUNNING"]);
    let error = back_up(&stage, &host, vm, &request("2"), Some(&first)).unwrap_err();
    assert!(error.to_string().contains("VM-MERGE-RUNNING"), "{error}");
}

#[test]
fn a_volume_without_room_is_told_before_and_while_it_grows() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    let before = stage.ledger();
    let (session, host) = stage.connect();
    let mut greedy = request("1");
    greedy.room.reserve_bytes = 1 << 60;
    let error = back_up(&stage, &host, vm, &greedy, None).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::NoRoom, "{error}");
    assert_eq!(session.call_count().of("CreateSnapshot"), 0);
    let entry = stage.entry(vm);
    let steps = Steps::default();
    let frozen = host
        .begin_backup(&entry, &request("2"), None, &steps)
        .unwrap();
    frozen.check_bearable().unwrap();
    let drive = stage.sim.volumes().unwrap()[0].volume.drive.clone();
    stage.sim.set_volume(&drive, 1 << 20, 0).unwrap();
    frozen.check_bearable().unwrap();
    session.reset_call_count();
    frozen.check_bearable().unwrap();
    assert_eq!(
        session.call_count().calls(),
        0,
        "it looks only now and then"
    );
    stage.sim.advance(Duration::from_secs(11)).unwrap();
    let error = frozen.check_bearable().unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::NoRoom, "{error}");
    stage.sim.set_volume(&drive, 1 << 42, 0).unwrap();
    assert_eq!(frozen.abandon(), []);
    assert_eq!(stage.differences(&before), []);
}

#[test]
fn a_stopped_run_leaves_nothing() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    let before = stage.ledger();
    let (_, host) = stage.connect();
    let steps = Steps::default();
    steps
        .cancelled
        .store(true, std::sync::atomic::Ordering::Relaxed);
    let entry = stage.entry(vm);
    let error = host
        .begin_backup(&entry, &request("1"), None, &steps)
        .err()
        .unwrap();
    assert_eq!(error.kind(), HostErrorKind::Cancelled);
    assert_eq!(stage.differences(&before), []);
    assert_eq!(stage.journal_entries(), 0);
}

#[test]
fn a_vm_that_moves_to_another_host_meanwhile_is_told_and_cleaned_where_it_is_found_again() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    let before = stage.ledger();
    let (_, host) = stage.connect();
    let entry = stage.entry(vm);
    let steps = Steps::default();
    let mut frozen = host
        .begin_backup(&entry, &request("1"), None, &steps)
        .unwrap();
    let point = read(&stage, vm, frozen.source(), None);
    stage.sim.move_vm_away(vm).unwrap();
    let sealed = frozen.seal().unwrap();
    assert_eq!(sealed.cursors, [None, None]);
    let findings = frozen.commit();
    let ids: Vec<_> = findings.iter().map(|finding| finding.id.as_str()).collect();
    assert_eq!(ids, ["RESIDUE-VM-MOVED"]);
    assert_eq!(stage.journal_entries(), 1);
    stage.sim.bring_vm_back(vm).unwrap();
    back_up(&stage, &host, vm, &request("2"), Some(&point)).unwrap();
    assert_eq!(stage.differences(&before), []);
    assert_eq!(stage.journal_entries(), 0);
}

#[test]
fn a_frozen_file_that_changes_makes_no_point() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    let before = stage.ledger();
    let (_, host) = stage.connect();
    let entry = stage.entry(vm);
    let steps = Steps::default();
    let mut frozen = host
        .begin_backup(&entry, &request("1"), None, &steps)
        .unwrap();
    let path = frozen.source().disks[0].chain[0].clone();
    let file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() + DISK_BYTES)
        .unwrap();
    drop(file);
    let error = frozen.seal().unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Disk, "{error}");
    frozen.abandon();
    assert_eq!(stage.differences(&before), []);
}
