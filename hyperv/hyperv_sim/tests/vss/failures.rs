//! What goes wrong, and that all is as before afterwards.

use hyperv_sim::{
    DiskSpec, Guest, HardwareProvider, LedgerKind, Profile, TraceKind, VSS_POINTS, VmSpec,
};
use uuid::Uuid;
use vss::{VssErrorKind, VssService as _, WriterState};

use crate::stage::{MIB, Stage, component_of, hyperv, never, plan};

const RETRYABLE: u32 = 0x8004_23F3;
const NON_RETRYABLE: u32 = 0x8004_23F4;
const INNER: [&str; 7] = [
    "PrepareSnapshot",
    "GuestSnapshot",
    "Freeze",
    "VolumeSnapshot",
    "Thaw",
    "AutoRecovery",
    "PostSnapshot",
];

/// A VM that is backed up online and one that is not.
fn two_vms(stage: &Stage) -> [Uuid; 2] {
    let spec = VmSpec::new("old").with_guest(Guest::Linux);
    [
        stage.vm("web"),
        stage.add(&spec.with_disk(DiskSpec::empty(MIB))),
    ]
}

/// Makes a backup with all its calls; the first failure ends it.
fn whole_backup(stage: &Stage, vms: &[Uuid]) -> Result<(), vss::VssError> {
    stage.vss.providers()?;
    let mut backup = stage
        .vss
        .begin(&crate::stage::options(vss::SnapshotKind::Backup))?;
    stage.prepare(&mut *backup, vms)?;
    backup.snapshot(&never)?;
    backup.writer_statuses(&never)?;
    backup.snapshots()?;
    backup.set_succeeded(&component_of(vms[0]), true)?;
    backup.document()?;
    backup.complete(&never)?;
    backup.delete_set()
}

#[test]
fn whatever_call_fails_before_or_after_its_work_nothing_is_left() {
    for profile in [
        Profile::Server2012,
        Profile::Server2012R2,
        Profile::Server2022,
    ] {
        let stage = Stage::new(profile);
        let vms = two_vms(&stage);
        let before = stage.ledger();
        for point in VSS_POINTS {
            for fault in ["code=0x80042302", "code=0x80042302 after", "requester=dies"] {
                stage.host.clear_trace().unwrap();
                plan(&stage, &format!("vss:{point} {fault}"));
                let done = whole_backup(&stage, &vms);
                // Not every version does every step.
                let reached = stage.host.faults().unwrap().faults[0].seen > 0;
                assert_eq!(
                    done.is_err(),
                    reached,
                    "{profile} {point} {fault}: {done:?}"
                );
                stage.host.clear_faults().unwrap();
                assert_eq!(stage.ledger(), before, "{profile} {point} {fault}");
                let events = stage.events();
                let prepared = events.contains(&"prepare-for-snapshot");
                let told = ["post-snapshot", "abort", "requester-died"];
                let ended = events.iter().any(|own| told.contains(own));
                assert!(ended || !prepared, "{profile} {point} {fault}: {events:?}");
            }
        }
        whole_backup(&stage, &vms).unwrap();
        assert_eq!(stage.ledger(), before, "{profile}");
    }
}

#[test]
fn a_writer_that_fails_says_where_and_all_is_given_back() {
    let states = [
        ("Prepare", WriterState::FailedAtPrepareBackup),
        ("PrepareSnapshot", WriterState::FailedAtPrepareSnapshot),
        ("GuestSnapshot", WriterState::FailedAtPrepareSnapshot),
        ("Freeze", WriterState::FailedAtFreeze),
        ("Thaw", WriterState::FailedAtThaw),
        ("AutoRecovery", WriterState::FailedAtPostSnapshot),
        ("PostSnapshot", WriterState::FailedAtPostSnapshot),
    ];
    for (point, state) in states {
        let stage = Stage::new(Profile::Server2012R2);
        let vms = two_vms(&stage);
        let before = stage.ledger();
        plan(&stage, &format!("vss:{point} writer=0x800423F4"));
        let mut backup = stage.prepared(&vms);
        backup.snapshot(&never).unwrap();
        let status = hyperv(&mut *backup);
        assert_eq!(
            (status.state, status.failure),
            (state, NON_RETRYABLE),
            "{point}"
        );
        assert!(stage.events().contains(&"post-snapshot"), "{point}");
        backup.abort();
        assert_eq!(stage.ledger(), before, "{point}");
        assert_eq!(stage.events().last(), Some(&"snapshot-deleted"), "{point}");
    }
}

#[test]
fn one_vm_that_fails_takes_all_with_it_unless_writers_may_fail_partially() {
    for partially in [false, true] {
        for point in INNER {
            let stage = Stage::new(Profile::Server2012R2);
            let change = |own: &mut hyperv_sim::Behavior| own.vss_fails_partially = partially;
            stage.host.change_behavior(change).unwrap();
            let vms = two_vms(&stage);
            let before = stage.ledger();
            plan(&stage, &format!("vss:{point} vm=web component=0x800423F3"));
            let mut backup = stage.prepared(&vms);
            backup.snapshot(&never).unwrap();
            let status = hyperv(&mut *backup);
            if point == "VolumeSnapshot" {
                // Nobody asks the VM then.
                assert_eq!(status.failure, 0);
            } else if partially {
                assert_eq!(status.failure, 0x8004_2336, "{point}");
                assert!(status.state.is_well(), "{point}");
                let name = component_of(vms[0]).name;
                assert_eq!(status.failed_components, [(name, RETRYABLE)], "{point}");
            } else {
                assert_eq!(status.failure, RETRYABLE, "{point}");
                assert!(!status.state.is_well(), "{point}");
            }
            drop(backup);
            assert_eq!(stage.ledger(), before, "{point}");
        }
    }
}

#[test]
fn on_2012_r2_a_vm_without_a_scsi_controller_cannot_recover() {
    let stage = Stage::new(Profile::Server2012R2);
    let mut spec = VmSpec::new("ide").with_generation(1);
    spec.scsi_controllers = 0;
    let vm = stage.add(&spec.with_disk(DiskSpec::empty(MIB)));
    let mut backup = stage.prepared(&[vm]);
    backup.snapshot(&never).unwrap();
    let status = hyperv(&mut *backup);
    assert_eq!(status.state, WriterState::FailedAtPostSnapshot);
    assert_eq!(status.failure, RETRYABLE);
    let trace = stage.host.trace().unwrap();
    let event = |own: &hyperv_sim::TraceEvent| matches!(&own.kind, TraceKind::Event { id: 10103, text } if text.contains("'ide'"));
    assert!(trace.iter().any(event), "{trace:?}");
}

#[test]
fn what_a_dead_requester_leaves_stands_in_the_way_of_the_next_online_backup() {
    let stage = Stage::new(Profile::Server2012R2);
    let change = |own: &mut hyperv_sim::Behavior| own.leaves_auto_recovery_files = true;
    stage.host.change_behavior(change).unwrap();
    let vm = stage.vm("web");
    let mut backup = stage.snapped(&[vm]);
    stage.host.vss_requester_dies().unwrap();
    let late = backup.complete(&never).unwrap_err();
    assert_eq!(late.kind(), VssErrorKind::BadState);
    drop(backup);
    let ledger = stage.ledger();
    let left: Vec<_> = ledger.of_kind(LedgerKind::AutoRecoveryFile).collect();
    let expected = r"C:\Hyper-V\web\Virtual Hard Disks\web-AutoRecovery.avhdx";
    assert_eq!(left, [(expected, "")]);
    assert_eq!(ledger.of_kind(LedgerKind::VssSession).count(), 0);
    assert_eq!(ledger.of_kind(LedgerKind::VolumeSnapshot).count(), 0);
    let mut again = stage.prepared(&[vm]);
    again.snapshot(&never).unwrap();
    let status = hyperv(&mut *again);
    assert_eq!(status.failure, NON_RETRYABLE);
    assert!(status.message.unwrap().contains("0x80070050"));
    drop(again);
    let (_, drive) = stage.host.drives().unwrap().remove(0);
    std::fs::remove_file(drive.join(expected[3..].replace('\\', "/"))).unwrap();
    stage.snapped(&[vm]);
}

#[test]
fn providers_of_arrays_come_first_and_may_be_slow_or_unable_to_recover() {
    let stage = Stage::new(Profile::Server2012R2);
    let vm = stage.vm("web");
    let mut array = HardwareProvider::sim_array();
    array.volume_snapshot_ms = 30_000;
    stage.host.install_provider(array.clone()).unwrap();
    let began = stage.host.now().unwrap();
    let mut backup = stage.snapped(&[vm]);
    assert_eq!(backup.snapshots().unwrap()[0].provider, array.id);
    let took = stage.host.now().unwrap().duration_since(began);
    assert!(took.as_secs() >= 30);
    drop(backup);
    stage.host.settle().unwrap();
    // Writers do not wait that long.
    array.volume_snapshot_ms = 61_000;
    stage.host.install_provider(array.clone()).unwrap();
    let mut backup = stage.prepared(&[vm]);
    backup.snapshot(&never).unwrap();
    let status = hyperv(&mut *backup);
    assert_eq!(status.state, WriterState::FailedAtThaw);
    assert_eq!(status.failure, 0x8004_23F2);
    drop(backup);
    stage.host.settle().unwrap();
    array.volume_snapshot_ms = 100;
    array.supports_auto_recovery = false;
    stage.host.install_provider(array).unwrap();
    let mut backup = stage.prepared(&[vm]);
    backup.snapshot(&never).unwrap();
    assert_eq!(
        hyperv(&mut *backup).state,
        WriterState::FailedAtPostSnapshot
    );
}

#[test]
fn a_host_that_loses_its_power_forgets_backups_and_snapshots() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.vm("web");
    let mut backup = stage.snapped(&[vm]);
    stage.host.crash_host(false).unwrap();
    assert!(backup.complete(&never).is_err());
    drop(backup);
    let ledger = stage.ledger();
    assert_eq!(ledger.of_kind(LedgerKind::VolumeSnapshot).count(), 0);
    assert_eq!(ledger.of_kind(LedgerKind::VssSession).count(), 0);
}
