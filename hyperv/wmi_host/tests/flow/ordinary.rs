//! Runs in which nothing goes wrong.

use hyperv_host::{BackupMode, Consistency, FullReason, HypervHost as _};
use hyperv_sim::{DiskSpec, Ledger, LedgerKind, Profile, VmSpec};

use crate::run::{Steps, back_up, request};
use crate::stage::{DISK_BYTES, Stage};

const PROFILES: [Profile; 4] = [
    Profile::Server2016,
    Profile::Server2019,
    Profile::Server2022,
    Profile::Server2025,
];

#[test]
fn a_tracked_vm_is_read_in_full_once_and_then_by_what_changed() {
    for profile in PROFILES {
        let stage = Stage::new(profile);
        let vm = stage.add_two_disks("web");
        let before = stage.ledger();
        let (_, host) = stage.connect();
        let first = back_up(&stage, &host, vm, &request("one"), None).unwrap();
        assert_eq!(
            first.reasons,
            [Some(FullReason::FirstBackup); 2],
            "{profile}"
        );
        assert_eq!(first.consistency.level, Consistency::Application);
        assert_eq!(first.cursors(), 2, "{:?}", first.findings);
        assert!(first.findings.is_empty(), "{:?}", first.findings);
        let mut previous = first;
        for run in ["two", "three"] {
            stage.write(vm, 50 + run.len() as u64);
            let point = back_up(&stage, &host, vm, &request(run), Some(&previous)).unwrap();
            assert_eq!(point.reasons, [None; 2], "{profile}");
            assert!(point.told_bytes < DISK_BYTES / 4, "{}", point.told_bytes);
            assert_eq!(point.cursors(), 2);
            assert!(point.findings.is_empty(), "{:?}", point.findings);
            assert_eq!(stage.reference_points(vm).len(), 1, "one of ours at a time");
            previous = point;
        }
        assert_eq!(stage.differences(&before), []);
        assert_eq!(stage.journal_entries(), 0);
    }
}

#[test]
fn a_standard_backup_leaves_no_reference_point() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("web");
    let (_, host) = stage.connect();
    let mut standard = request("one");
    standard.mode = BackupMode::Standard;
    let before = stage.ledger();
    let point = back_up(&stage, &host, vm, &standard, None).unwrap();
    assert_eq!(point.reasons, [Some(FullReason::NotTracked); 2]);
    assert_eq!(point.cursors(), 0);
    assert_eq!(stage.reference_points(vm).len(), 0);
    assert_eq!(stage.differences(&before), []);
    // Back to tracking, and away from it: what tracking needed is removed.
    let tracked = back_up(&stage, &host, vm, &request("two"), Some(&point)).unwrap();
    assert_eq!(tracked.reasons, [Some(FullReason::NoReferencePoint); 2]);
    assert_eq!(stage.reference_points(vm).len(), 1);
    back_up(&stage, &host, vm, &standard, Some(&tracked)).unwrap();
    assert_eq!(stage.reference_points(vm).len(), 0);
}

#[test]
fn while_a_vm_is_frozen_its_checkpoint_carries_the_run_s_name_and_the_journal_knows_it() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("web");
    let (_, host) = stage.connect();
    let entry = stage.entry(vm);
    let steps = Steps::default();
    let frozen = host
        .begin_backup(&entry, &request("run 7"), None, &steps)
        .unwrap();
    let snapshots = stage.sim.vm(vm).unwrap().snapshots;
    assert_eq!(snapshots.len(), 1);
    assert_eq!(snapshots[0].name, "Lifeboat run 7");
    assert_eq!(stage.journal_entries(), 1);
    assert_eq!(frozen.source().taken, snapshots[0].created);
    // A second run, of whatever process, does not get in between.
    let (_, other) = stage.connect();
    let busy = other.begin_backup(&entry, &request("run 8"), None, &steps);
    let error = busy.err().unwrap();
    assert_eq!(error.kind(), hyperv_host::HostErrorKind::Busy, "{error}");
    assert_eq!(frozen.abandon(), []);
    assert_eq!(stage.journal_entries(), 0);
    assert!(!steps.told.lock().unwrap().is_empty());
}

#[test]
fn a_run_that_is_given_up_or_dropped_leaves_nothing() {
    let stage = Stage::new(Profile::Server2019);
    let vm = stage.add_two_disks("web");
    let entry = stage.entry(vm);
    let (_, host) = stage.connect();
    let steps = Steps::default();
    let first = back_up(&stage, &host, vm, &request("0"), None).unwrap();
    let points = stage.reference_points(vm);
    let before = stage.ledger();
    for sealed in [false, true] {
        for dropped in [false, true] {
            let previous = Some(&first.backup);
            let mut frozen = host
                .begin_backup(&entry, &request("1"), previous, &steps)
                .unwrap();
            if sealed {
                assert_eq!(frozen.seal().unwrap().cursors.len(), 2);
                assert_eq!(stage.reference_points(vm).len(), 2);
            }
            if dropped {
                drop(frozen);
            } else {
                assert_eq!(frozen.abandon(), []);
            }
            assert_eq!(stage.differences(&before), []);
            assert_eq!(stage.reference_points(vm), points, "the last point's stays");
        }
    }
    // What a dropped run could not wait for is settled by the next one.
    back_up(&stage, &host, vm, &request("2"), Some(&first)).unwrap();
    assert_eq!(stage.journal_entries(), 0);
}

#[test]
fn other_programs_checkpoints_and_reference_points_are_never_touched() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("web");
    let foreign = stage
        .sim
        .plant_foreign_checkpoint(vm, "web - other")
        .unwrap();
    let point = stage.sim.plant_foreign_reference_point(vm).unwrap();
    let before = stage.ledger();
    let (_, host) = stage.connect();
    let mut previous = None;
    for run in ["1", "2", "3"] {
        stage.write(vm, 70 + run.len() as u64);
        previous = Some(back_up(&stage, &host, vm, &request(run), previous.as_ref()).unwrap());
    }
    assert_eq!(stage.differences(&before), []);
    assert!(stage.sim.vm(vm).unwrap().snapshot(foreign).is_some());
    let points = stage.reference_points(vm);
    assert_eq!(points.len(), 2);
    assert!(points.contains(&point));
}

#[test]
fn methods_that_are_done_at_once_are_understood_too() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("web");
    let (session, _) = stage.connect();
    drop(session);
    let before = stage.ledger();
    let host = stage.connect_at_once();
    let first = back_up(&stage, &host, vm, &request("1"), None).unwrap();
    stage.write(vm, 5);
    let second = back_up(&stage, &host, vm, &request("2"), Some(&first)).unwrap();
    assert_eq!(second.reasons, [None; 2], "{:?}", second.findings);
    assert_eq!(stage.differences(&before), []);
    assert_eq!(stage.reference_points(vm).len(), 1);
}

#[test]
fn results_that_become_visible_late_are_found() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("web");
    stage
        .sim
        .change_behavior(|behavior| behavior.visibility_delay_ms = 1500)
        .unwrap();
    let (_, host) = stage.connect();
    let point = back_up(&stage, &host, vm, &request("1"), None).unwrap();
    assert_eq!(point.cursors(), 2, "{:?}", point.findings);
    assert_eq!(stage.journal_entries(), 0);
}

#[test]
fn a_large_disk_costs_no_more_questions_than_a_small_one() {
    let mut counts = Vec::new();
    for size in [DISK_BYTES, 64 << 30] {
        let stage = Stage::new(Profile::Server2022);
        let spec = VmSpec::new("vm").with_disk(DiskSpec::empty(size));
        let vm = stage.sim.add_vm(&spec).unwrap();
        let (session, host) = stage.connect();
        let steps = Steps::default();
        let entry = stage.entry(vm);
        let mut frozen = host
            .begin_backup(&entry, &request("1"), None, &steps)
            .unwrap();
        let disk = &frozen.source().disks[0];
        let mut previous = hyperv_host::PreviousBackup {
            point: "p".to_owned(),
            disks: vec![hyperv_host::PreviousDisk {
                number: 0,
                configured_path: disk.configured_path.clone(),
                slot: disk.slot,
                disk_id: disk.disk_id.clone(),
                size_bytes: size,
                cursor: None,
            }],
        };
        previous.disks[0].cursor = frozen.seal().unwrap().cursors.remove(0);
        frozen.commit();
        stage.sim.write(vm, 0, 8192, &[7; 4096]).unwrap();
        session.reset_call_count();
        let frozen = host
            .begin_backup(&entry, &request("2"), Some(&previous), &steps)
            .unwrap();
        let changes = &frozen.source().disks[0].changes;
        assert!(
            matches!(changes, hyperv_host::DiskChanges::Ranges { .. }),
            "{changes:?}"
        );
        let count = session.call_count();
        assert_eq!(count.of("GetVirtualDiskChanges"), 1);
        frozen.commit();
        counts.push(session.call_count().calls());
    }
    assert_eq!(counts[0], counts[1]);
    println!("{} WMI calls for an incremental backup of a VM", counts[0]);
    assert!(counts[0] < 90, "{counts:?}");
}

#[test]
fn tracking_files_are_all_that_is_new_on_the_host() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("web");
    let before = stage.ledger();
    let (_, host) = stage.connect();
    back_up(&stage, &host, vm, &request("1"), None).unwrap();
    let differences = Ledger::difference(&before, &stage.ledger());
    let new = |kind| differences.iter().filter(|own| own.kind == kind).count();
    assert_eq!(new(LedgerKind::ReferencePoint), 1);
    assert_eq!(new(LedgerKind::TrackingFile), 4, "{differences:?}");
    assert_eq!(differences.len(), 5, "{differences:?}");
}
