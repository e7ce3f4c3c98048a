//! What people and other programs do with a VM while it is backed up through volume snapshots, and
//! hosts that answer oddly.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyperv_host::{
    BackupMethod, BackupMode, Consistency, HostErrorKind, HypervHost as _, OnMissed, SavedState,
    StepObserver,
};
use hyperv_sim::{DiskSpec, PowerState, Profile, SimHost, TraceKind, VmSpec};
use uuid::Uuid;

use crate::odd_writer::{OddVss, Oddity};
use crate::run::{Steps, back_up, request};
use crate::stage::{DISK_BYTES, Stage};

/// Does something to the host when a run gets to a step for the first time.
struct At<F> {
    step: &'static str,
    done: AtomicBool,
    sim: Arc<SimHost>,
    act: F,
}

fn at<F: Fn(&SimHost)>(stage: &Stage, step: &'static str, act: F) -> At<F> {
    At {
        step,
        done: AtomicBool::new(false),
        sim: Arc::clone(&stage.sim),
        act,
    }
}

impl<F: Fn(&SimHost) + Send + Sync> StepObserver for At<F> {
    fn step(&self, text: &str) {
        if text.starts_with(self.step) && !self.done.swap(true, Ordering::Relaxed) {
            (self.act)(&self.sim);
        }
    }

    fn cancelled(&self) -> bool {
        false
    }
}

fn allowed(run: &str) -> hyperv_host::BackupRequest {
    let mut request = request(run);
    request.saved_state = SavedState::Allow;
    request
}

/// A host that refuses every recovery checkpoint.
fn refusing() -> (Stage, Uuid) {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    let fault = "CreateSnapshot code=32768".parse().unwrap();
    stage.sim.plan_fault(fault).unwrap();
    stage.sim.clear_trace().unwrap();
    (stage, vm)
}

fn was_saved(stage: &Stage) -> bool {
    let trace = stage.sim.trace().unwrap();
    trace.iter().any(|event| event.kind == TraceKind::Saved)
}

#[test]
fn a_vm_that_its_administrator_saves_while_it_is_read_stays_saved() {
    for (request, guest) in [
        (request("1"), hyperv_sim::Guest::Windows),
        (allowed("1"), hyperv_sim::Guest::Linux),
    ] {
        let stage = Stage::new(Profile::Server2012);
        let spec = VmSpec::new("vm").with_guest(guest);
        let vm = stage.add(&spec.with_disk(DiskSpec::empty(DISK_BYTES)));
        let (_, host) = stage.connect();
        let entry = stage.entry(vm);
        let begun = host.begin_backup(&entry, &request, None, &Steps::default());
        let mut frozen = begun.unwrap();
        stage.sim.save(vm).unwrap();
        frozen.seal().unwrap();
        assert_eq!(frozen.commit(), []);
        let now = stage.sim.vm(vm).unwrap().power;
        assert_eq!(now, PowerState::Saved, "{guest:?}");
    }
}

#[test]
fn a_provider_that_hangs_does_not_keep_a_saved_vm_from_its_users() {
    let (stage, vm) = refusing();
    let before = stage.ledger();
    let (_, host) = stage.connect();
    let host = host.with_vss(OddVss::of(&stage.sim, Oddity::Hangs));
    let error = back_up(&stage, &host, vm, &allowed("1"), None).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Refused, "{error}");
    assert!(error.to_string().contains("5 minutes"), "{error}");
    assert!(was_saved(&stage));
    assert_eq!(stage.sim.vm(vm).unwrap().power, PowerState::Running);
    assert_eq!(stage.differences(&before), []);
    assert_eq!(stage.journal_entries(), 0);
}

#[test]
fn a_vm_is_not_saved_where_the_point_would_miss_what_is_required() {
    let stage = Stage::new(Profile::Server2012R2);
    let vm = stage.add_two_disks("vm");
    let fault = "vss:PrepareSnapshot writer=0x800423F4".parse().unwrap();
    stage.sim.plan_fault(fault).unwrap();
    stage.sim.clear_trace().unwrap();
    let (_, host) = stage.connect();
    let mut request = allowed("1");
    request.require = Some(Consistency::Application);
    request.on_missed = OnMissed::Fail;
    let error = back_up(&stage, &host, vm, &request, None).unwrap_err();
    assert!(error.to_string().contains("VM-CONSISTENCY"), "{error}");
    assert!(!was_saved(&stage));
}

#[test]
fn a_vm_that_was_shut_down_meanwhile_is_not_saved_and_stays_off() {
    let (stage, vm) = refusing();
    let busy = "vss:StartSet first=1 code=2147754774".parse().unwrap();
    stage.sim.plan_fault(busy).unwrap();
    let (_, host) = stage.connect();
    let observer = at(&stage, "waiting: another program", move |sim: &SimHost| {
        sim.stop(vm).unwrap();
    });
    let entry = stage.entry(vm);
    let begun = host.begin_backup(&entry, &allowed("1"), None, &observer);
    let frozen = begun.unwrap();
    assert!(observer.done.load(Ordering::Relaxed));
    let source = frozen.source();
    assert_eq!(source.method, BackupMethod::VssOffline);
    assert_eq!(source.interruption, None);
    assert!(source.consistency.reason.contains("is off"));
    assert_eq!(frozen.abandon(), []);
    assert!(!was_saved(&stage));
    assert_eq!(stage.sim.vm(vm).unwrap().power, PowerState::Off);
}

#[test]
fn a_checkpoint_that_is_made_while_the_writer_is_asked_is_in_the_point() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    let (_, host) = stage.connect();
    let mut request = request("1");
    request.mode = BackupMode::AllCheckpoints;
    let observer = at(
        &stage,
        "asking the host's VSS writers",
        move |sim: &SimHost| {
            sim.checkpoint(vm, "meanwhile").unwrap();
            sim.settle().unwrap();
        },
    );
    let entry = stage.entry(vm);
    let mut frozen = host
        .begin_backup(&entry, &request, None, &observer)
        .unwrap();
    let tree = frozen.source().tree.as_ref().unwrap();
    let names: Vec<&str> = tree
        .checkpoints
        .iter()
        .map(|own| own.name.as_str())
        .collect();
    assert_eq!(names, ["meanwhile"]);
    frozen.seal().unwrap();
    assert_eq!(frozen.commit(), []);
}

#[test]
fn a_file_that_another_backup_left_is_no_leaf_where_hosts_leave_none() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    let disk = stage.sim.vm(vm).unwrap().disks[0].path.clone();
    let paths = hyperv_sim::SimPaths::new(Arc::clone(&stage.sim));
    let disk = disk_image::HostPaths::locate(&paths, &disk).unwrap();
    let stem = disk.file_stem().unwrap().to_string_lossy().into_owned();
    let left = disk.with_file_name(format!("{stem}-AutoRecovery.avhdx"));
    std::fs::write(&left, "not ours").unwrap();
    let (_, host) = stage.connect();
    let mut request = request("1");
    request.mode = BackupMode::AllCheckpoints;
    let entry = stage.entry(vm);
    let begun = host.begin_backup(&entry, &request, None, &Steps::default());
    let frozen = begun.unwrap();
    assert_eq!(frozen.source().images.len(), 2);
    assert_eq!(frozen.abandon(), []);
    assert!(left.exists());
}

#[test]
fn a_caption_in_words_that_are_not_understood_promises_nothing() {
    let stage = Stage::new(Profile::Server2012R2);
    let vm = stage.add_two_disks("vm");
    let (_, host) = stage.connect();
    let host = host.with_vss(OddVss::of(&stage.sim, Oddity::Captions));
    let point = back_up(&stage, &host, vm, &request("1"), None).unwrap();
    assert_eq!(point.consistency.level, Consistency::Crash);
    let stage = Stage::new(Profile::Server2012);
    let vm = stage.add_two_disks("vm");
    let (_, host) = stage.connect();
    let host = host.with_vss(OddVss::of(&stage.sim, Oddity::Captions));
    let error = back_up(&stage, &host, vm, &request("1"), None).unwrap_err();
    assert!(error.to_string().contains("SAVED-STATE-REFUSED"), "{error}");
}

#[test]
fn a_writer_that_fails_with_vms_that_nobody_asked_for_is_not_tried_for_ever() {
    let stage = Stage::new(Profile::Server2012R2);
    let vm = stage.add_two_disks("vm");
    let before = stage.ledger();
    let (_, host) = stage.connect();
    let host = host.with_vss(OddVss::of(&stage.sim, Oddity::FailsWithStrangers));
    let began = stage.sim.now().unwrap();
    back_up(&stage, &host, vm, &request("1"), None).unwrap_err();
    assert!(stage.sim.now().unwrap().duration_since(began).as_secs() > 0);
    assert_eq!(stage.differences(&before), []);
    assert_eq!(stage.journal_entries(), 0);
}

#[test]
fn the_volumes_of_all_parents_are_snapped_while_a_vm_is_saved() {
    let stage = Stage::new(Profile::Server2022);
    stage.sim.add_volume("D:\\", 1 << 40).unwrap();
    let base = stage.add(&VmSpec::new("base").with_disk(DiskSpec::empty(DISK_BYTES)));
    stage.sim.stop(base).unwrap();
    let path = stage.sim.vm(base).unwrap().disks[0].path.clone();
    let child = DiskSpec::new(hyperv_sim::DiskContent::ChildOf(path));
    let mut spec = VmSpec::new("clone").with_disk(child);
    spec.folder = Some("D:\\VMs\\clone".to_owned());
    let vm = stage.add(&spec);
    let fault = "CreateSnapshot code=32768".parse().unwrap();
    stage.sim.plan_fault(fault).unwrap();
    stage.sim.clear_trace().unwrap();
    let (_, host) = stage.connect();
    let entry = stage.entry(vm);
    let begun = host.begin_backup(&entry, &allowed("1"), None, &Steps::default());
    assert_eq!(begun.unwrap().abandon(), []);
    assert!(was_saved(&stage));
    let trace = stage.sim.trace().unwrap();
    let snapped = |kind: &TraceKind| matches!(kind, TraceKind::VolumeSnapshot { .. });
    let count = trace.iter().filter(|event| snapped(&event.kind)).count();
    assert_eq!(count, 2, "the parent's volume, too");
}

#[test]
fn a_save_of_which_nothing_is_known_is_waited_for_and_one_that_is_refused_is_not() {
    for (fault, waits) in [
        ("RequestStateChange first=1 lost", true),
        ("RequestStateChange first=1 code=32775", false),
    ] {
        let (stage, vm) = refusing();
        let before = stage.ledger();
        stage.sim.plan_fault(fault.parse().unwrap()).unwrap();
        let (_, host) = stage.connect();
        let began = stage.sim.now().unwrap();
        back_up(&stage, &host, vm, &allowed("1"), None).unwrap_err();
        let took = stage.sim.now().unwrap().duration_since(began);
        assert_eq!(took.as_secs() >= 60, waits, "{fault}: {took:?}");
        assert_eq!(stage.sim.vm(vm).unwrap().power, PowerState::Running);
        assert_eq!(stage.differences(&before), [], "{fault}");
        assert_eq!(stage.journal_entries(), 0, "{fault}");
    }
}

#[test]
fn another_programs_checkpoint_is_never_ours_however_long_our_merge_takes() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    let fails = "any first=1 merge=fail".parse().unwrap();
    stage.sim.plan_fault(fails).unwrap();
    let (_, host) = stage.connect();
    let mut request = request("1");
    request.mode = BackupMode::AllCheckpoints;
    let entry = stage.entry(vm);
    let begun = host.begin_backup(&entry, &request, None, &Steps::default());
    let frozen = begun.unwrap();
    let foreign = stage.sim.plant_foreign_checkpoint(vm, "vm - another");
    let foreign = foreign.unwrap();
    frozen.abandon();
    let now = stage.sim.vm(vm).unwrap();
    assert!(now.snapshots.iter().any(|own| own.id == foreign));
}
