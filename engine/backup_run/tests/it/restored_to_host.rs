//! VMs of a simulated host, backed up, restored to it or to another one, and backed up again.

use backup_run::Outcome;
use block_io::BlockDevice as _;
use hyperv_host::{FullReason, HypervHost as _, RestoreHost};
use hyperv_sim::{Effect, Fault, FaultPoint, Ledger, LedgerKind, SimHost};
use repository::RestorePoint;
use uuid::Uuid;
use vm_restore::{
    Destination, DiskMethod, HostRestoreFailure, HostRestoreReport, HostRestoreRequest,
    NewestPoints, RestoreKind, RestorePart, VmFilter, VmPlan, plan_all_latest, plan_host_restore,
    restore_all_latest,
};

use crate::on_simulated_host::{CHUNK, DISK_BYTES, Stage, full_disk, spec};
use crate::restored_properties::{another, properties};

pub(crate) fn target(stage: &Stage) -> &dyn RestoreHost {
    stage.host.as_restore_host().unwrap()
}

pub(crate) fn request(stage: &Stage) -> HostRestoreRequest {
    HostRestoreRequest {
        run: "test-restore".to_owned(),
        session_folder: stage.folder.path().join("sessions"),
        ..HostRestoreRequest::default()
    }
}

pub(crate) fn newest_point(stage: &Stage, vm: Uuid) -> RestorePoint {
    stage
        .repository
        .points_of(&vm.to_string())
        .unwrap()
        .pop()
        .unwrap()
}

/// Restores a point of one stage to the host of another.
pub(crate) fn restore(
    from: &Stage,
    to: &Stage,
    vm: Uuid,
    request: &HostRestoreRequest,
) -> Result<HostRestoreReport, HostRestoreFailure> {
    let point = newest_point(from, vm);
    let plan = plan_host_restore(&from.repository, &point, target(to), request).unwrap();
    assert!(plan.block().is_none(), "{:?}", plan.findings);
    plan.execute(target(to), &())
}

pub(crate) fn content(sim: &SimHost, vm: Uuid) -> Vec<u8> {
    let mut bytes = vec![0; DISK_BYTES];
    sim.open_disk(vm, 0)
        .unwrap()
        .read_at(0, &mut bytes)
        .unwrap();
    bytes
}

/// Planned VMs, sessions and staging folders are no one's after a restore.
pub(crate) fn check_nothing_left(stage: &Stage) {
    let ledger = stage.sim.ledger().unwrap();
    assert_eq!(ledger.of_kind(LedgerKind::PlannedVm).count(), 0);
    let files = ledger.of_kind(LedgerKind::ConfigurationFile);
    let mut files = files.chain(ledger.of_kind(LedgerKind::File));
    assert!(files.all(|(name, _)| !name.contains("lifeboat-restore")));
    let sessions = std::fs::read_dir(stage.folder.path().join("sessions"));
    let sessions = sessions.into_iter().flatten().flatten();
    let mut names = sessions.map(|entry| entry.file_name().into_string().unwrap());
    assert!(names.all(|name| name.ends_with(".lock")));
}

#[test]
fn a_vm_comes_back_on_another_host_and_its_next_backup_stores_nothing() {
    let (first, second) = (Stage::new(), another());
    let disk = full_disk(4);
    let vm = first.sim.add_vm(&spec("SQL01", &disk)).unwrap();
    first.run();
    let request = HostRestoreRequest {
        destination: Destination::Folder(r"C:\Restored\SQL01".to_owned()),
        ..request(&second)
    };
    let report = restore(&first, &second, vm, &request).unwrap();
    assert_eq!(report.kind, RestoreKind::NewVm);
    assert_eq!(report.identity, vm.to_string());
    let (was, is) = (first.sim.vm(vm).unwrap(), second.sim.vm(vm).unwrap());
    assert_eq!(properties(&is), properties(&was));
    assert!(content(&second.sim, vm) == disk);
    check_nothing_left(&second);
    second.sim.start(vm).unwrap();
    let second = Stage {
        repository: first.repository.clone(),
        ..second
    };
    let report = second.run();
    let item = &report.items[0];
    assert_eq!(item.outcome, Outcome::Success, "{item:?}");
    let done = &item.disks[0];
    assert!(done.full.is_some(), "{done:?}");
    assert_eq!(done.statistics.new_bytes, 0);
}

#[test]
fn in_place_only_what_the_host_tracked_is_written() {
    let stage = Stage::new();
    let disk = full_disk(5);
    let vm = stage.sim.add_vm(&spec("SQL01", &disk)).unwrap();
    stage.run();
    for chunk in [3, 17] {
        stage
            .sim
            .write(vm, 0, (chunk * CHUNK) as u64, &[9; 512])
            .unwrap();
    }
    let was = stage.sim.vm(vm).unwrap();
    let request = HostRestoreRequest {
        in_place: true,
        stop_running: true,
        ..request(&stage)
    };
    let point = newest_point(&stage, vm);
    // While it runs nobody can tell what will have changed.
    let plan = plan_host_restore(&stage.repository, &point, target(&stage), &request).unwrap();
    assert!(!plan.write_is_exact && plan.needs_confirmation());
    stage.sim.stop(vm).unwrap();
    let plan = plan_host_restore(&stage.repository, &point, target(&stage), &request).unwrap();
    assert!(plan.block().is_none(), "{:?}", plan.findings);
    assert!(plan.write_is_exact, "{plan:?}");
    let report = plan.execute(target(&stage), &()).unwrap();
    assert_eq!(report.written_bytes, plan.write_bytes);
    assert!(
        matches!(report.disks[0].method, DiskMethod::ChangedRanges { .. }),
        "{report:?}"
    );
    assert_eq!(report.written_bytes, 2 * CHUNK as u64);
    assert!(content(&stage.sim, vm) == disk);
    assert_eq!(properties(&stage.sim.vm(vm).unwrap()), properties(&was));
    check_nothing_left(&stage);
    // What was tracked before says nothing about what is there now.
    stage.sim.start(vm).unwrap();
    let report = stage.run();
    let item = &report.items[0];
    assert_eq!(item.disks[0].full, Some(FullReason::VmRestored), "{item:?}");
    assert_eq!(item.disks[0].statistics.new_bytes, 0);
}

#[test]
fn the_old_vm_is_set_aside_and_both_are_there() {
    let stage = Stage::new();
    let disk = full_disk(6);
    let vm = stage.sim.add_vm(&spec("SQL01", &disk)).unwrap();
    stage.run();
    stage.sim.write(vm, 0, 0, &[9; 512]).unwrap();
    let request = HostRestoreRequest {
        in_place: true,
        keep_old: true,
        ..request(&stage)
    };
    let report = restore(&stage, &stage, vm, &request).unwrap();
    let new = Uuid::parse_str(&report.identity).unwrap();
    assert_ne!(new, vm);
    assert!(
        stage
            .sim
            .vm(vm)
            .unwrap()
            .name
            .starts_with("SQL01 (before restore ")
    );
    assert_eq!(stage.sim.vm(new).unwrap().name, "SQL01");
    assert!(content(&stage.sim, new) == disk);
    assert!(content(&stage.sim, vm) != disk);
    check_nothing_left(&stage);
}

#[test]
fn a_version_that_the_host_lacks_comes_back_as_a_new_vm_of_the_same_settings() {
    let stage = Stage::new();
    let disk = full_disk(7);
    let vm = stage.sim.add_vm(&spec("SQL01", &disk)).unwrap();
    stage.run();
    let mut point = newest_point(&stage, vm);
    point.vm.configuration_version = Some("254.0".to_owned());
    let plan = |request: &HostRestoreRequest| {
        plan_host_restore(&stage.repository, &point, target(&stage), request).unwrap()
    };
    let mut asked = request(&stage);
    asked.identity = hyperv_host::Identity::New;
    assert_eq!(plan(&asked).block().unwrap().id, "POINT-VERSION");
    asked.as_new_vm = true;
    asked.name = Some("SQL02".to_owned());
    let report = plan(&asked).execute(target(&stage), &()).unwrap();
    let made = stage
        .sim
        .vm(Uuid::parse_str(&report.identity).unwrap())
        .unwrap();
    assert_eq!(made.name, "SQL02");
    assert_eq!(made.processors, stage.sim.vm(vm).unwrap().processors);
    assert!(content(&stage.sim, made.id) == disk);
    check_nothing_left(&stage);
}

#[test]
fn a_disk_is_attached_to_a_vm_that_is_there() {
    let stage = Stage::new();
    let disk = full_disk(8);
    let vm = stage.sim.add_vm(&spec("SQL01", &disk)).unwrap();
    stage.run();
    let request = HostRestoreRequest {
        part: RestorePart::Disks {
            attach_to: "sql01".to_owned(),
            slot: None,
        },
        ..request(&stage)
    };
    let report = restore(&stage, &stage, vm, &request).unwrap();
    assert_eq!(report.identity, vm.to_string());
    let with = stage.sim.vm(vm).unwrap();
    assert_eq!(with.disks.len(), 2);
    let mut bytes = vec![0; DISK_BYTES];
    stage
        .sim
        .open_disk(vm, 1)
        .unwrap()
        .read_at(0, &mut bytes)
        .unwrap();
    assert!(bytes == disk);
    check_nothing_left(&stage);
}

#[test]
fn the_configuration_comes_back_and_the_disks_stay() {
    let stage = Stage::new();
    let disk = full_disk(9);
    let vm = stage.sim.add_vm(&spec("SQL01", &disk)).unwrap();
    stage.run();
    let was = stage.sim.vm(vm).unwrap();
    stage.sim.stop(vm).unwrap();
    stage
        .sim
        .change_vm(vm, |vm| vm.notes = "somebody was here".to_owned())
        .unwrap();
    let held = content(&stage.sim, vm);
    let request = HostRestoreRequest {
        part: RestorePart::Configuration,
        ..request(&stage)
    };
    let report = restore(&stage, &stage, vm, &request).unwrap();
    assert_eq!(report.written_bytes, 0);
    assert_eq!(properties(&stage.sim.vm(vm).unwrap()), properties(&was));
    assert!(content(&stage.sim, vm) == held);
    check_nothing_left(&stage);
}

#[test]
fn whatever_call_fails_the_old_vm_is_there_as_it_was() {
    let methods = [
        "ImportSystemDefinition",
        "ModifySystemSettings",
        "ModifyResourceSettings",
        "ValidatePlannedSystem",
        "RealizePlannedSystem",
        "DestroySystem",
        "RequestStateChange",
    ];
    for method in methods {
        let stage = Stage::new();
        let disk = full_disk(10);
        let vm = stage.sim.add_vm(&spec("SQL01", &disk)).unwrap();
        stage.run();
        stage.sim.write(vm, 0, 0, &[9; 512]).unwrap();
        let request = HostRestoreRequest {
            in_place: true,
            stop_running: true,
            full: true,
            ..request(&stage)
        };
        let before = stage.sim.ledger().unwrap();
        let was = stage.sim.vm(vm).unwrap();
        let effect = Effect::JobFails {
            code: 32768,
            text: "it was asked to".to_owned(),
        };
        let fault = Fault::new(FaultPoint::Method(method.to_owned()), effect).nth(1);
        stage.sim.plan_fault(fault).unwrap();
        let result = restore(&stage, &stage, vm, &request);
        stage.sim.clear_faults().unwrap();
        let Err(failure) = result else {
            // What may be asked twice was.
            let again = ["ModifyResourceSettings", "RequestStateChange"];
            assert!(again.contains(&method), "{method} did not fail");
            continue;
        };
        assert!(!failure.can_go_on, "{method}: {failure:?}");
        let mut left = Ledger::left_behind(&before, &stage.sim.ledger().unwrap());
        // A definition that was registered again is written again.
        left.retain(|thing| thing.kind != LedgerKind::ConfigurationFile || thing.after.is_none());
        // Its controllers have other ids.
        left.retain(|thing| thing.kind != LedgerKind::DiskPath);
        assert!(content(&stage.sim, vm) != disk, "{method}");
        assert!(left.is_empty(), "{method}: {left:?} {failure:?}");
        assert_eq!(properties(&stage.sim.vm(vm).unwrap()), properties(&was));
        check_nothing_left(&stage);
    }
}

#[test]
fn every_vm_comes_back_on_an_empty_host_but_the_one_that_cannot() {
    let (first, second) = (Stage::new(), Stage::new());
    for (name, seed) in [("SQL01", 11), ("WEB01", 12), ("DC01", 13)] {
        first.sim.add_vm(&spec(name, &full_disk(seed))).unwrap();
    }
    first.run();
    // One of them is there already.
    let taken = first.sim.find_vm("WEB01").unwrap();
    restore(&first, &second, taken, &request(&second)).unwrap();
    let catalog = first.repository.catalog().unwrap();
    let newest = NewestPoints::choose(&catalog, &VmFilter::default());
    let asked = request(&second);
    let plans = plan_all_latest(&first.repository, target(&second), &newest, &asked).unwrap();
    let outcomes = restore_all_latest(target(&second), plans, 2, &());
    assert_eq!(outcomes.len(), 3);
    for outcome in outcomes {
        assert_eq!(
            outcome.result.is_ok(),
            outcome.name != "WEB01",
            "{outcome:?}"
        );
        let vm = Uuid::parse_str(&outcome.identity).unwrap();
        assert!(
            content(&second.sim, vm) == content(&first.sim, vm),
            "{}",
            outcome.name
        );
    }
    check_nothing_left(&second);
}

#[test]
fn room_is_counted_for_all_vms_together() {
    let (first, second) = (Stage::new(), Stage::new());
    for (name, seed) in [("SQL01", 21), ("WEB01", 22)] {
        first.sim.add_vm(&spec(name, &full_disk(seed))).unwrap();
    }
    first.run();
    let catalog = first.repository.catalog().unwrap();
    let newest = NewestPoints::choose(&catalog, &VmFilter::default());
    let asked = request(&second);
    let planned = || plan_all_latest(&first.repository, target(&second), &newest, &asked).unwrap();
    let blocks = |plans: &[VmPlan]| -> Vec<Option<String>> {
        let blocks = plans.iter().map(|vm| vm.plan.as_ref().unwrap().block());
        blocks
            .map(|block| block.map(|own| own.id.clone()))
            .collect()
    };
    let plans = planned();
    assert_eq!(blocks(&plans), [None, None]);
    let needed = plans[0].plan.as_ref().unwrap().space[0].needed_bytes;
    second.sim.set_free_bytes("C:\\", needed * 3 / 2).unwrap();
    let plans = planned();
    assert_eq!(blocks(&plans), [None, Some("POINT-NO-ROOM".to_owned())]);
    let outcomes = restore_all_latest(target(&second), plans, 1, &());
    let back: Vec<bool> = outcomes.iter().map(|vm| vm.result.is_ok()).collect();
    assert_eq!(
        back,
        [true, false],
        "one that does not fit keeps no other from its turn"
    );
    check_nothing_left(&second);
}
