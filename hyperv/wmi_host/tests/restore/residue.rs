//! What restores that died have left: ours goes, others' stays.

use hyperv_host::{HostErrorKind, RestoreHost as _};
use hyperv_sim::{Effect, Fault, FaultPoint, Profile, SimSession};
use uuid::Uuid;
use wmi::{VIRTUALIZATION, Value, WmiSession as _};
use wmi_host::{find_residue, fix_residue};

use crate::backup::{Copied, copy_files, spec};
use crate::run::Steps;
use crate::stage::Stage;

fn prepared() -> (Stage, Copied) {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add(&spec("web"));
    stage.sim.stop(vm).unwrap();
    let (_, host) = stage.connect();
    let copied = copy_files(&stage, &host, vm);
    (stage, copied)
}

/// Lets the host die at a method, and comes back to it.
fn die_at(stage: &Stage, copied: &Copied, method: &str, after: bool) {
    let point = FaultPoint::Method(method.to_owned());
    let mut fault = Fault::new(point, Effect::HostDies).nth(1);
    fault.after = after;
    stage.sim.plan_fault(fault).unwrap();
    let (_, host) = stage.connect();
    let error = host.import(&copied.order, &Steps::default()).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Unreachable, "{error}");
    stage.sim.clear_faults().unwrap();
    stage.sim.settle().unwrap();
}

/// Another program reads the same definition as a planned VM.
fn foreign(stage: &Stage, copied: &Copied) -> Uuid {
    let session = SimSession::new(stage.sim.clone()).unwrap();
    let wql = "SELECT * FROM Msvm_VirtualSystemManagementService";
    let service = session.query_all(VIRTUALIZATION, wql).unwrap();
    let service = service[0].object_path(VIRTUALIZATION).unwrap();
    let before = planned(stage);
    let parameters = [
        (
            "SystemDefinitionFile",
            Value::from(copied.order.definition.as_str()),
        ),
        ("SnapshotFolder", Value::from("")),
        ("GenerateNewSystemIdentifier", Value::from(true)),
    ];
    let output = session.invoke(&service, "ImportSystemDefinition", &parameters);
    assert_eq!(output.unwrap().return_value, 4096);
    stage.sim.settle().unwrap();
    let new = planned(stage).into_iter().find(|id| !before.contains(id));
    new.unwrap()
}

fn planned(stage: &Stage) -> Vec<Uuid> {
    let planned = stage.sim.planned_vms().unwrap();
    planned.iter().map(|own| own.vm.id).collect()
}

#[test]
fn a_planned_vm_of_a_restore_that_died_is_told_and_removed() {
    let (stage, copied) = prepared();
    let before = stage.ledger();
    die_at(&stage, &copied, "ModifySystemSettings", false);
    assert_eq!(planned(&stage).len(), 1);
    let (_, host) = stage.connect();
    let found = find_residue(&host).unwrap();
    let told: Vec<_> = found
        .iter()
        .map(|own| (own.finding.id.as_str(), own.fixable))
        .collect();
    assert_eq!(told, [("RESIDUE-PLANNED-VM", true)]);
    assert_eq!(planned(&stage).len(), 1, "nothing is changed by looking");
    assert!(fix_residue(&host).unwrap().is_empty());
    assert_eq!(stage.differences(&before), []);
    assert_eq!(stage.journal_entries(), 0);
}

#[test]
fn a_planned_vm_whose_answer_got_lost_is_found_by_what_is_new() {
    let (stage, copied) = prepared();
    let other = foreign(&stage, &copied);
    let before = stage.ledger();
    die_at(&stage, &copied, "ImportSystemDefinition", true);
    let (_, host) = stage.connect();
    host.settle_restores().unwrap();
    assert_eq!(planned(&stage), [other]);
    assert_eq!(stage.differences(&before), []);
    assert_eq!(stage.journal_entries(), 0);
}

#[test]
fn of_two_that_are_new_neither_is_touched() {
    let (stage, copied) = prepared();
    die_at(&stage, &copied, "ImportSystemDefinition", true);
    foreign(&stage, &copied);
    let there = planned(&stage).len();
    assert_eq!(there, 2);
    let (_, host) = stage.connect();
    let left = host.settle_restores().unwrap();
    let ids: Vec<&str> = left.iter().map(|own| own.id.as_str()).collect();
    assert_eq!(ids, ["RESIDUE-PLANNED-VM"]);
    assert_eq!(planned(&stage).len(), there);
    assert_eq!(stage.journal_entries(), 1);
}

#[test]
fn a_backup_leaves_what_a_restore_owes() {
    let (stage, copied) = prepared();
    die_at(&stage, &copied, "ModifySystemSettings", false);
    let (_, host) = stage.connect();
    let request = crate::run::request("backup");
    crate::run::back_up(&stage, &host, copied.vm.id, &request, None).unwrap();
    assert_eq!(planned(&stage).len(), 1);
    assert_eq!(stage.journal_entries(), 1);
}

#[test]
fn a_vm_that_was_made_before_its_restore_died_is_taken_up_by_it() {
    let (stage, copied) = prepared();
    die_at(&stage, &copied, "RealizePlannedSystem", true);
    let vms = stage.sim.vms().unwrap().len();
    let (_, host) = stage.connect();
    let left = host.settle_restores().unwrap();
    let ids: Vec<&str> = left.iter().map(|own| own.id.as_str()).collect();
    if planned(&stage).is_empty() && vms == 2 {
        assert_eq!(ids, ["RESIDUE-RESTORED-VM"]);
    }
    let restored = host.import(&copied.order, &Steps::default()).unwrap();
    assert_eq!(restored.name, "web restored");
    assert_eq!(stage.sim.vms().unwrap().len(), 2);
    assert_eq!(stage.journal_entries(), 0);
}
