//! What dead runs leave, and how it is found and removed.

use hyperv_host::{HypervHost as _, Severity};
use hyperv_sim::{Effect, Fault, FaultPoint, Profile};
use wmi_host::{Residue, find_residue, fix_residue};

use crate::run::{Steps, back_up, request};
use crate::stage::Stage;

fn ids(residue: &[Residue]) -> Vec<&str> {
    residue.iter().map(|own| own.finding.id.as_str()).collect()
}

/// Lets a run die at its n-th call of a method, after that took place.
fn die_after(stage: &Stage, vm: uuid::Uuid, method: &str, previous: Option<&crate::run::Point>) {
    let point = FaultPoint::Method(method.to_owned());
    let fault = Fault::new(point, Effect::HostDies).nth(1).afterwards();
    stage.sim.plan_fault(fault).unwrap();
    let entry = stage.entry(vm);
    let (_, host) = stage.connect();
    let steps = Steps::default();
    let backup = previous.map(|point| &point.backup);
    if let Ok(mut frozen) = host.begin_backup(&entry, &request("dead"), backup, &steps) {
        let _ = frozen.seal();
    }
    stage.sim.clear_faults().unwrap();
    assert_eq!(stage.journal_entries(), 1);
}

#[test]
fn a_clean_host_has_none() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    stage.sim.checkpoint(vm, "mine").unwrap();
    let (_, host) = stage.connect();
    assert_eq!(ids(&find_residue(&host).unwrap()), [""; 0]);
    back_up(&stage, &host, vm, &request("1"), None).unwrap();
    assert_eq!(ids(&find_residue(&host).unwrap()), [""; 0]);
}

#[test]
fn a_checkpoint_whose_id_was_never_learned_is_found_by_what_was_there_before() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    let before = stage.ledger();
    die_after(&stage, vm, "CreateSnapshot", None);
    stage.sim.settle().unwrap();
    assert_eq!(stage.sim.vm(vm).unwrap().snapshots.len(), 1);
    let (_, host) = stage.connect();
    let residue = find_residue(&host).unwrap();
    assert_eq!(ids(&residue), ["RESIDUE-CHECKPOINT"]);
    assert!(residue[0].fixable);
    assert_eq!(residue[0].vm, Some(vm.to_string()));
    assert_eq!(residue[0].finding.severity, Severity::Warn);
    assert_eq!(ids(&fix_residue(&host).unwrap()), [""; 0]);
    assert_eq!(stage.differences(&before), []);
    assert_eq!(stage.journal_entries(), 0);
}

#[test]
fn what_may_be_another_programs_is_reported_and_not_touched() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    die_after(&stage, vm, "CreateSnapshot", None);
    stage.sim.settle().unwrap();
    stage
        .sim
        .plant_foreign_checkpoint(vm, "vm - another")
        .unwrap();
    let (_, host) = stage.connect();
    for _ in 0..2 {
        let residue = fix_residue(&host).unwrap();
        assert_eq!(ids(&residue), ["RESIDUE-CHECKPOINT-UNDECIDED"]);
        assert!(!residue[0].fixable);
        assert_eq!(stage.sim.vm(vm).unwrap().snapshots.len(), 2);
    }
    // The next backup says so, works, and touches none either.
    let point = back_up(&stage, &host, vm, &request("2"), None).unwrap();
    assert_eq!(point.ids(), ["RESIDUE-CHECKPOINT-UNDECIDED"]);
    assert_eq!(stage.sim.vm(vm).unwrap().snapshots.len(), 2);
}

#[test]
fn foreign_checkpoints_and_those_of_runs_that_no_entry_knows_are_reported_and_not_touched() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    // The second one may be what another machine is reading just now.
    for name in ["Other Backup", "Lifeboat 2020-01-01"] {
        stage.sim.plant_foreign_checkpoint(vm, name).unwrap();
    }
    let (_, host) = stage.connect();
    let mut found = find_residue(&host).unwrap();
    found.sort_by_key(|own| own.finding.id.clone());
    assert_eq!(
        ids(&found),
        ["RESIDUE-CHECKPOINT-FOREIGN", "RESIDUE-CHECKPOINT-MARKED"]
    );
    assert!(found.iter().all(|own| !own.fixable), "{found:?}");
    let left = fix_residue(&host).unwrap();
    assert_eq!(left.len(), 2);
    assert_eq!(stage.sim.vm(vm).unwrap().snapshots.len(), 2);
}

#[test]
fn a_run_that_lives_is_left_alone() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    let (_, host) = stage.connect();
    let entry = stage.entry(vm);
    let steps = Steps::default();
    let frozen = host
        .begin_backup(&entry, &request("1"), None, &steps)
        .unwrap();
    let (_, other) = stage.connect();
    assert_eq!(ids(&fix_residue(&other).unwrap()), [""; 0]);
    assert_eq!(stage.sim.vm(vm).unwrap().snapshots.len(), 1);
    frozen.abandon();
}

#[test]
fn a_reference_point_of_unknown_use_waits_for_the_next_backup() {
    for published in [false, true] {
        let stage = Stage::new(Profile::Server2022);
        let vm = stage.add_two_disks("vm");
        let (_, host) = stage.connect();
        let first = back_up(&stage, &host, vm, &request("1"), None).unwrap();
        let entry = stage.entry(vm);
        let steps = Steps::default();
        let backup = Some(&first.backup);
        let mut frozen = host
            .begin_backup(&entry, &request("2"), backup, &steps)
            .unwrap();
        let mut second = crate::run::read(&stage, vm, frozen.source(), Some(&first));
        crate::run::note(&mut second, frozen.seal().unwrap());
        // The program dies before it can commit or abandon.
        let fault = Fault::new(FaultPoint::Any, Effect::HostDies).nth(1);
        stage.sim.plan_fault(fault).unwrap();
        drop(frozen);
        stage.sim.clear_faults().unwrap();
        let (_, host) = stage.connect();
        let left = fix_residue(&host).unwrap();
        assert_eq!(ids(&left), ["RESIDUE-REFERENCE-POINT-WAITS"]);
        assert_eq!(stage.reference_points(vm).len(), 2);
        stage.write(vm, 77);
        let last = if published { &second } else { &first };
        let third = back_up(&stage, &host, vm, &request("3"), Some(last)).unwrap();
        assert_eq!(third.reasons, [None; 2], "{published}");
        assert_eq!(stage.reference_points(vm).len(), 1);
        assert_eq!(stage.journal_entries(), 0);
        assert_eq!(ids(&find_residue(&host).unwrap()), [""; 0]);
    }
}

#[test]
fn files_of_checkpoints_that_nothing_uses_are_reported() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    let leaf = stage.sim.vm(vm).unwrap().disks[0].path.clone();
    let (_, host) = stage.connect();
    let entry = stage.entry(vm);
    let steps = Steps::default();
    let frozen = host
        .begin_backup(&entry, &request("1"), None, &steps)
        .unwrap();
    let folder = std::path::Path::new(&frozen.source().disks[0].chain[0]).to_owned();
    frozen.abandon();
    stage.sim.settle().unwrap();
    std::fs::write(folder.with_file_name("lost_1234.avhdx"), "x").unwrap();
    let residue = find_residue(&host).unwrap();
    assert_eq!(ids(&residue), ["RESIDUE-AVHDX"], "{leaf}");
    assert!(!residue[0].fixable);
}
