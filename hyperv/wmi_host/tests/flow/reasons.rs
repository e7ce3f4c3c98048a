//! Why a disk is read in full, as the simulated host lets it come about.

use hyperv_host::FullReason;
use hyperv_sim::{DiskContent, Profile, SimHost};
use uuid::Uuid;

use crate::run::{Point, back_up, request};
use crate::stage::{DISK_BYTES, Stage};

/// Backs up, lets something happen, and backs up again: returns the second point.
fn after(happens: impl FnOnce(&Stage, Uuid, &SimHost)) -> Point {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    let (_, host) = stage.connect();
    let first = back_up(&stage, &host, vm, &request("1"), None).unwrap();
    stage.sim.settle().unwrap();
    stage.write(vm, 8);
    happens(&stage, vm, &stage.sim);
    stage.sim.settle().unwrap();
    let second = back_up(&stage, &host, vm, &request("2"), Some(&first)).unwrap();
    // Whatever it was, the next run is by changes again.
    if stage.sim.vm(vm).unwrap().power == hyperv_sim::PowerState::Running {
        stage.write(vm, 9);
    }
    let third = back_up(&stage, &host, vm, &request("3"), Some(&second)).unwrap();
    assert_eq!(third.reasons, [None; 2], "{:?}", third.findings);
    second
}

#[test]
fn a_disk_that_was_replaced_is_read_alone() {
    let point = after(|stage, vm, sim| {
        sim.stop(vm).unwrap();
        let size_bytes = DISK_BYTES;
        sim.replace_disk(vm, 0, DiskContent::Empty { size_bytes })
            .unwrap();
        stage.set_content(vm, 0, vec![0; usize::try_from(size_bytes).unwrap()]);
        sim.start(vm).unwrap();
    });
    assert_eq!(point.reasons, [Some(FullReason::DiskReplaced), None]);
}

#[test]
fn a_disk_that_was_resized_is_read_alone() {
    let point = after(|stage, vm, sim| {
        sim.resize_disk(vm, 0, 2 * DISK_BYTES).unwrap();
        let mut content = stage.content(vm, 0);
        content.resize(content.len() * 2, 0);
        stage.set_content(vm, 0, content);
    });
    assert_eq!(point.reasons, [Some(FullReason::DiskResized), None]);
}

#[test]
fn after_a_crash_the_host_says_more_than_changed_or_nothing() {
    let point = after(|_, _, sim| sim.crash_host(false).unwrap());
    assert_eq!(point.reasons, [None; 2], "more is told, nothing is lost");
    let point = after(|_, _, sim| sim.crash_host(true).unwrap());
    let lost = |reason: &Option<FullReason>| {
        matches!(
            reason,
            Some(FullReason::IdUnknown | FullReason::HostCrashed)
        )
    };
    assert!(point.reasons.iter().all(lost), "{:?}", point.reasons);
}

#[test]
fn a_disk_that_moved_is_read_in_full() {
    let point = after(|_, vm, sim| sim.migrate_storage(vm, r"C:\Elsewhere").unwrap());
    assert_eq!(point.reasons, [Some(FullReason::StorageMigrated); 2]);
}

#[test]
fn a_reference_point_that_another_program_took_away_costs_a_full_read() {
    let point = after(|stage, vm, sim| {
        for point in stage.reference_points(vm) {
            sim.delete_reference_point(point).unwrap();
        }
    });
    assert_eq!(point.reasons, [Some(FullReason::ReferencePointGone); 2]);
}

#[test]
fn a_checkpoint_that_was_applied_is_noticed() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    let (_, host) = stage.connect();
    let checkpoint = stage.sim.checkpoint(vm, "before the update").unwrap();
    let contents = [stage.content(vm, 0), stage.content(vm, 1)];
    stage.write(vm, 5);
    let first = back_up(&stage, &host, vm, &request("1"), None).unwrap();
    stage.sim.settle().unwrap();
    stage.sim.apply_checkpoint(checkpoint).unwrap();
    stage.sim.settle().unwrap();
    for (disk, content) in contents.into_iter().enumerate() {
        stage.set_content(vm, disk, content);
    }
    let second = back_up(&stage, &host, vm, &request("2"), Some(&first)).unwrap();
    assert_eq!(second.reasons, [Some(FullReason::CheckpointApplied); 2]);
}

#[test]
fn short_answers_about_changes_are_followed_to_the_end() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    let (session, host) = stage.connect();
    let first = back_up(&stage, &host, vm, &request("1"), None).unwrap();
    stage.write(vm, 5);
    stage
        .sim
        .change_behavior(|behavior| behavior.ranges_per_answer = 1)
        .unwrap();
    session.reset_call_count();
    let second = back_up(&stage, &host, vm, &request("2"), Some(&first)).unwrap();
    assert_eq!(second.reasons, [None; 2]);
    assert!(session.call_count().of("GetVirtualDiskChanges") > 4);
}
