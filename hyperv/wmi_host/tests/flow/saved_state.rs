//! VMs that are saved for their backup, and always brought back.

use hyperv_host::{BackupMethod, BackupMode, HostErrorKind, HypervHost as _, SavedState};
use hyperv_sim::{DiskSpec, Guest, PowerState, Profile, TraceKind, VmSpec, WriterHealth};
use uuid::Uuid;
use wmi_host::{find_residue, fix_residue};

use crate::run::{Steps, back_up, request};
use crate::stage::{DISK_BYTES, Stage};

fn allowed(run: &str) -> hyperv_host::BackupRequest {
    let mut request = request(run);
    request.saved_state = SavedState::Allow;
    request
}

fn power(stage: &Stage, vm: Uuid) -> PowerState {
    stage.sim.vm(vm).unwrap().power
}

/// A host that refuses every recovery checkpoint.
fn refusing() -> (Stage, Uuid) {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    let fault = "CreateSnapshot code=32768".parse().unwrap();
    stage.sim.plan_fault(fault).unwrap();
    (stage, vm)
}

#[test]
fn a_vm_that_the_host_refuses_to_freeze_is_saved_only_where_that_is_allowed() {
    let (stage, vm) = refusing();
    let before = stage.ledger();
    let (_, host) = stage.connect();
    let error = back_up(&stage, &host, vm, &request("1"), None).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Refused);
    assert_eq!(stage.differences(&before), []);
    stage.sim.clear_trace().unwrap();
    let entry = stage.entry(vm);
    let mut frozen = host
        .begin_backup(&entry, &allowed("2"), None, &Steps::default())
        .unwrap();
    let source = frozen.source();
    assert_eq!(source.method, BackupMethod::SavedState);
    let interruption = source.interruption.unwrap();
    assert!(!interruption.is_zero());
    let stages: Vec<&str> = source.stages.iter().map(|own| own.name.as_str()).collect();
    assert!(
        stages.contains(&"saved") && stages.contains(&"resumed"),
        "{stages:?}"
    );
    let ids: Vec<&str> = source.findings.iter().map(|own| own.id.as_str()).collect();
    assert!(ids.contains(&"VM-SAVED-STATE-INSTEAD"), "{ids:?}");
    // Its memory is among the files.
    assert!(
        source
            .files
            .iter()
            .any(|file| file.relative_path.ends_with(".vmrs"))
    );
    assert_eq!(
        power(&stage, vm),
        PowerState::Running,
        "it runs while it is read"
    );
    frozen.seal().unwrap();
    assert_eq!(frozen.commit(), []);
    assert_eq!(stage.differences(&before), []);
    let trace = stage.sim.trace().unwrap();
    let kinds: Vec<&TraceKind> = trace.iter().map(|event| &event.kind).collect();
    let at = |wanted: fn(&TraceKind) -> bool| kinds.iter().position(|kind| wanted(kind)).unwrap();
    let saved = at(|kind| *kind == TraceKind::Saved);
    let snapped = at(|kind| matches!(kind, TraceKind::VolumeSnapshot { .. }));
    let resumed = at(|kind| *kind == TraceKind::Resumed);
    assert!(saved < snapped && snapped < resumed, "{kinds:?}");
    // No guest was asked, and no writer (requirement SAVE-05).
    assert!(!kinds.contains(&&TraceKind::GuestAsked));
    assert!(!kinds.contains(&&TraceKind::PrepareForSnapshot));
}

#[test]
fn a_vm_that_does_not_run_is_left_alone() {
    for (state, label) in [
        (PowerState::Off, "off"),
        (PowerState::Saved, "saved"),
        (PowerState::Paused, "paused"),
    ] {
        let (stage, vm) = refusing();
        match state {
            PowerState::Off => stage.sim.stop(vm).unwrap(),
            PowerState::Saved => stage.sim.save(vm).unwrap(),
            _ => stage.sim.pause(vm).unwrap(),
        }
        let before = stage.ledger();
        stage.sim.clear_trace().unwrap();
        let (_, host) = stage.connect();
        back_up(&stage, &host, vm, &allowed("1"), None)
            .unwrap_or_else(|error| panic!("{label}: {error}"));
        assert_eq!(power(&stage, vm), state, "{label}");
        let trace = stage.sim.trace().unwrap();
        let touched = trace.iter().any(|event| {
            matches!(
                event.kind,
                TraceKind::Saved | TraceKind::Resumed | TraceKind::Paused
            )
        });
        assert!(!touched, "{label}");
        assert_eq!(stage.differences(&before), [], "{label}");
    }
}

#[test]
fn hosts_before_2012_r2_save_or_pause_by_themselves_where_that_is_allowed() {
    for guest in [Guest::Linux, Guest::LinuxWithDaemon, Guest::None] {
        let stage = Stage::new(Profile::Server2012);
        let spec = VmSpec::new("vm").with_guest(guest);
        let vm = stage.add(&spec.with_disk(DiskSpec::empty(DISK_BYTES)));
        let before = stage.ledger();
        stage.sim.clear_trace().unwrap();
        let (_, host) = stage.connect();
        let error = back_up(&stage, &host, vm, &request("1"), None).unwrap_err();
        assert!(
            error.to_string().contains("VM-SAVED-STATE-REFUSED"),
            "{error}"
        );
        assert_eq!(power(&stage, vm), PowerState::Running);
        let entry = stage.entry(vm);
        let plan = host.plan(&entry, &allowed("2"), None).unwrap();
        assert_eq!(plan.method, BackupMethod::SavedState, "{guest:?}");
        assert!(plan.interruption_seconds.unwrap() > 0);
        let frozen = host
            .begin_backup(&entry, &allowed("2"), None, &Steps::default())
            .unwrap();
        assert_eq!(frozen.source().method, BackupMethod::SavedState);
        assert!(frozen.source().interruption.is_some(), "{guest:?}");
        frozen.abandon();
        assert_eq!(stage.differences(&before), [], "{guest:?}");
    }
}

#[test]
fn a_guest_of_2012_r2_without_scsi_is_saved_or_refused() {
    let stage = Stage::new(Profile::Server2012R2);
    let mut spec = VmSpec::new("vm").with_generation(1);
    spec.scsi_controllers = 0;
    let vm = stage.add(&spec.with_disk(DiskSpec::empty(DISK_BYTES)));
    let before = stage.ledger();
    let (_, host) = stage.connect();
    let error = back_up(&stage, &host, vm, &request("1"), None).unwrap_err();
    assert!(
        error.to_string().contains("VM-SAVED-STATE-REFUSED"),
        "{error}"
    );
    let mut all = allowed("2");
    all.mode = BackupMode::AllCheckpoints;
    for request in [allowed("1"), all] {
        let entry = stage.entry(vm);
        let mut frozen = host
            .begin_backup(&entry, &request, None, &Steps::default())
            .unwrap();
        assert_eq!(frozen.source().method, BackupMethod::SavedState);
        frozen.seal().unwrap();
        assert_eq!(frozen.commit(), []);
        assert_eq!(stage.differences(&before), []);
    }
}

#[test]
fn a_run_that_dies_while_the_vm_is_saved_is_found_and_the_vm_brought_back() {
    for by_doctor in [true, false] {
        let (stage, vm) = refusing();
        let before = stage.ledger();
        let (_, host) = stage.connect();
        // From the volume snapshot on nobody reaches the host any more.
        let dies = "vss:VolumeSnapshot dies".parse().unwrap();
        stage.sim.plan_fault(dies).unwrap();
        back_up(&stage, &host, vm, &allowed("1"), None).unwrap_err();
        drop(host);
        stage.sim.clear_faults().unwrap();
        assert_eq!(power(&stage, vm), PowerState::Saved);
        assert_eq!(stage.journal_entries(), 1);
        let (_, host) = stage.connect();
        let found = find_residue(&host).unwrap();
        let ids: Vec<&str> = found.iter().map(|own| own.finding.id.as_str()).collect();
        assert_eq!(ids, ["RESIDUE-POWER"]);
        if by_doctor {
            assert!(fix_residue(&host).unwrap().is_empty());
        } else {
            back_up(&stage, &host, vm, &request("2"), None).unwrap();
        }
        assert_eq!(power(&stage, vm), PowerState::Running);
        assert_eq!(stage.differences(&before), []);
        assert_eq!(stage.journal_entries(), 0);
    }
}

#[test]
fn without_the_writer_a_vm_is_saved_where_that_is_allowed() {
    let stage = Stage::new(Profile::Server2012R2);
    let vm = stage.add_two_disks("vm");
    let before = stage.ledger();
    let missing = |behavior: &mut hyperv_sim::Behavior| behavior.writer = WriterHealth::Missing;
    stage.sim.change_behavior(missing).unwrap();
    let (_, host) = stage.connect();
    let error = back_up(&stage, &host, vm, &request("1"), None).unwrap_err();
    assert!(error.to_string().contains("HOST-VSS-WRITER"), "{error}");
    assert!(error.hint_text().unwrap().contains("Restart-Service vmms"));
    let point = back_up(&stage, &host, vm, &allowed("2"), None).unwrap();
    assert!(
        point.ids().contains(&"VM-SAVED-STATE-INSTEAD"),
        "{:?}",
        point.ids()
    );
    assert_eq!(stage.differences(&before), []);
    assert_eq!(stage.journal_entries(), 0);
}

#[test]
fn a_vm_that_is_only_busy_is_never_saved_for_that() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    let conflict = "CreateSnapshot conflict".parse().unwrap();
    stage.sim.plan_fault(conflict).unwrap();
    stage.sim.clear_trace().unwrap();
    let (_, host) = stage.connect();
    let error = back_up(&stage, &host, vm, &allowed("1"), None).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Busy);
    let trace = stage.sim.trace().unwrap();
    assert!(trace.iter().all(|event| event.kind != TraceKind::Saved));
}
