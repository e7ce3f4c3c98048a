//! Calls that are refused, and VMs that cannot be backed up now.

use std::time::Duration;

use hyperv_sim::{Behavior, DiskKind, DiskSpec, Profile, SimHost, SimVss, VmSpec, WriterHealth};
use uuid::Uuid;
use vss::{HYPERV_WRITER, VssErrorKind, VssService as _, WriterState};

use crate::stage::{MIB, Stage, component_of, hyperv, never};

#[test]
fn calls_in_another_order_are_refused() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.vm("web");
    let volume = stage.vss.volume_of("C:\\").unwrap().name;
    let refused = |result: Result<(), vss::VssError>| {
        assert_eq!(result.unwrap_err().kind(), VssErrorKind::BadState);
    };
    let mut backup = stage.begin();
    refused(backup.add_component(&component_of(vm)));
    refused(backup.start_set().map(|_| ()));
    refused(backup.add_volume(&volume, None).map(|_| ()));
    refused(backup.prepare(&never));
    refused(backup.snapshot(&never));
    refused(backup.writer_statuses(&never).map(|_| ()));
    refused(backup.snapshots().map(|_| ()));
    refused(backup.set_succeeded(&component_of(vm), true));
    refused(backup.document().map(|_| ()));
    refused(backup.complete(&never));
    refused(backup.delete_set());
    backup.writers(&never).unwrap();
    refused(backup.writers(&never).map(|_| ()));
    refused(backup.add_volume(&volume, None).map(|_| ()));
    backup.start_set().unwrap();
    refused(backup.start_set().map(|_| ()));
    refused(backup.prepare(&never));
    backup.add_volume(&volume, None).unwrap();
    refused(backup.snapshot(&never));
    backup.prepare(&never).unwrap();
    refused(backup.add_component(&component_of(vm)));
    backup.snapshot(&never).unwrap();
    refused(backup.snapshot(&never));
    backup.complete(&never).unwrap();
    refused(backup.complete(&never));
    backup.abort();
    backup.abort();
    refused(backup.delete_set());
}

#[test]
fn what_is_not_there_is_not_found() {
    let stage = Stage::new(Profile::Server2022);
    let mut backup = stage.begin();
    backup.writers(&never).unwrap();
    // Made after the writers were asked: in none of their components.
    let late = stage.vm("late");
    let error = backup.add_component(&component_of(late)).unwrap_err();
    assert_eq!(error.kind(), VssErrorKind::NotFound);
    backup.start_set().unwrap();
    let error = backup.add_volume("Z:\\", None).unwrap_err();
    assert_eq!(error.kind(), VssErrorKind::NotFound);
    let volume = stage.vss.volume_of("C:\\").unwrap().name;
    let error = backup.add_volume(&volume, Some(Uuid::nil())).unwrap_err();
    assert_eq!(error.code(), Some(0x8004_2304));
    stage.host.add_volume("D:\\", 1 << 30).unwrap();
    stage.host.set_volume_vss("D:\\", false).unwrap();
    let other = stage.vss.volume_of("d:\\x\\y").unwrap();
    assert_eq!(other.mount, "D:\\");
    let error = backup.add_volume(&other.name, None).unwrap_err();
    assert_eq!(error.kind(), VssErrorKind::NotSupported);
}

#[test]
fn one_requester_makes_snapshots_at_a_time() {
    let stage = Stage::new(Profile::Server2022);
    let first = stage.prepared(&[]);
    let mut second = stage.begin();
    second.writers(&never).unwrap();
    let busy = second.start_set().unwrap_err();
    assert_eq!(busy.kind(), VssErrorKind::Busy);
    drop(first);
    second.start_set().unwrap();
    drop(second);
    stage.host.keep_vss_busy(Duration::from_secs(60)).unwrap();
    let mut third = stage.begin();
    third.writers(&never).unwrap();
    assert_eq!(third.start_set().unwrap_err().code(), Some(0x8004_2316));
    stage.host.advance(Duration::from_secs(61)).unwrap();
    third.start_set().unwrap();
}

#[test]
fn a_full_volume_and_a_person_end_the_snapshot() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.vm("web");
    let before = stage.ledger();
    let mut backup = stage.prepared(&[vm]);
    let stop = || true;
    assert_eq!(
        backup.snapshot(&stop).unwrap_err().kind(),
        VssErrorKind::Cancelled
    );
    drop(backup);
    stage.host.set_free_bytes("C:\\", 1 << 20).unwrap();
    let mut backup = stage.prepared(&[]);
    assert_eq!(
        backup.snapshot(&never).unwrap_err().kind(),
        VssErrorKind::NoRoom
    );
    drop(backup);
    assert_eq!(stage.ledger(), before);
}

#[test]
fn a_writer_that_is_not_well_is_missing_or_says_so() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.vm("web");
    let change = |change: &dyn Fn(&mut Behavior)| stage.host.change_behavior(change).unwrap();
    let has_writer = || {
        let writers = stage.begin().writers(&never).unwrap();
        writers.iter().any(|own| own.id == HYPERV_WRITER)
    };
    assert!(has_writer());
    change(&|own| own.writer = WriterHealth::Missing);
    assert!(!has_writer());
    change(&|own| {
        own.writer = WriterHealth::Stable;
        own.is_client_edition = true;
    });
    assert!(!has_writer());
    change(&|own| {
        own.writer = WriterHealth::FailedRetryable;
        own.is_client_edition = false;
    });
    let mut backup = stage.prepared(&[vm]);
    backup.snapshot(&never).unwrap();
    let status = hyperv(&mut *backup);
    assert_eq!(status.state, WriterState::FailedAtFreeze);
    assert!(!stage.events().contains(&"guest-asked"));
}

#[test]
fn a_vm_that_is_busy_or_has_a_shared_disk_fails() {
    let stage = Stage::new(Profile::Server2022);
    let busy = stage.vm("busy");
    stage
        .host
        .keep_busy(busy, Duration::from_secs(600))
        .unwrap();
    let shared = DiskSpec::empty(MIB).of_kind(DiskKind::SharedVhdx);
    let shared = stage.add(&VmSpec::new("shared").with_disk(shared));
    for (vm, code, words) in [
        (busy, 0x8004_23F3, "conflicting operation"),
        (shared, 0x8004_23F4, "shared with other"),
    ] {
        let mut backup = stage.prepared(&[vm]);
        backup.snapshot(&never).unwrap();
        let status = hyperv(&mut *backup);
        assert_eq!(status.failure, code);
        assert!(status.message.unwrap().contains(words));
    }
}

#[test]
fn without_writers_volumes_are_snapped_and_nobody_is_asked() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.vm("web");
    let before = stage.ledger();
    let mut backup = stage.snapped_without_writers();
    let path = stage.host.vm(vm).unwrap().disks[0].path.clone();
    assert_eq!(stage.read(&mut *backup, &path).len(), 4 << 20);
    backup.complete(&never).unwrap();
    drop(backup);
    let expected = ["backup-begun", "volume-snapshot", "snapshot-deleted"];
    assert_eq!(stage.events(), expected);
    assert_eq!(stage.ledger(), before);
}

#[test]
fn who_opens_the_folder_next_ends_what_a_killed_program_left() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.vm("web");
    let before = stage.ledger();
    let backup = stage.snapped(&[vm]);
    let dir = stage.host.dir().to_owned();
    let other = std::sync::Arc::new(SimHost::open(&dir).unwrap());
    // As long as the requester lives, others leave its backup alone.
    let alive = other.ledger().unwrap();
    assert_eq!(alive.of_kind(hyperv_sim::LedgerKind::VssSession).count(), 1);
    // A program that is killed lets go of its lock; here the file goes instead.
    let lives = std::fs::read_dir(dir.join("vss")).unwrap();
    for file in lives {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    other.settle().unwrap();
    assert_eq!(other.ledger().unwrap(), before);
    drop(backup);
    assert_eq!(SimVss::new(other).providers().unwrap().len(), 2);
}
