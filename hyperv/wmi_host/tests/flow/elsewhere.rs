//! One journal for several hosts: what a run owes to a VM is given to that VM and no other of its
//! identity.

use hyperv_host::{HypervHost as _, Severity};
use hyperv_sim::{Profile, Replication};
use uuid::Uuid;
use wmi_host::{find_residue, fix_residue};

use crate::run::{back_up, request};
use crate::stage::Stage;

const PAUSED: Replication = Replication {
    mode: 2,
    state: 7,
    health: 1,
    applying_log: false,
};

/// Writes the entry of a run that died with the VM's replication paused.
fn plant(stage: &Stage, vm: Uuid, host: &str, computer: &str) {
    let text = format!(
        r#"{{"version": 1, "host": "{host}", "computer": "{computer}", "vm": "{vm}",
            "vm_name": "vm", "run": "dead", "replication_paused": true,
            "before": {{"snapshots": [], "reference_points": [], "leaves": []}}}}"#
    );
    stage.write_journal(&format!("{vm}.dead.json"), &text);
}

#[test]
fn what_a_run_owes_on_another_host_is_told_and_not_given_to_the_vm_of_that_identity_here() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    stage.sim.set_replication(vm, PAUSED).unwrap();
    // The name of the session may even be the same: `localhost`.
    let (_, host) = stage.connect();
    plant(&stage, vm, host.name(), "OTHER");
    for residue in [find_residue(&host).unwrap(), fix_residue(&host).unwrap()] {
        let [only] = residue.as_slice() else {
            panic!("{residue:?}");
        };
        assert_eq!(only.finding.id, "RESIDUE-REPLICATION");
        assert_eq!(only.finding.severity, Severity::Warn);
        assert!(only.finding.text.contains("OTHER") && !only.fixable);
    }
    let point = back_up(&stage, &host, vm, &request("1"), None).unwrap();
    assert!(point.ids().contains(&"RESIDUE-REPLICATION"), "{point:?}");
    assert_eq!(stage.sim.vm(vm).unwrap().replication.state, 7);
    assert_eq!(stage.journal_entries(), 1);
}

#[test]
fn what_a_run_owes_is_given_back_by_whatever_name_the_host_is_reached() {
    for next_backup in [false, true] {
        let stage = Stage::new(Profile::Server2022);
        let vm = stage.add_two_disks("vm");
        stage.sim.set_replication(vm, PAUSED).unwrap();
        let (_, host) = stage.connect();
        plant(&stage, vm, "hv1.example.com", "hv1");
        if next_backup {
            back_up(&stage, &host, vm, &request("1"), None).unwrap();
        } else {
            assert!(fix_residue(&host).unwrap().is_empty());
        }
        assert_eq!(stage.sim.vm(vm).unwrap().replication.state, 3);
        assert_eq!(stage.journal_entries(), 0);
    }
}

#[test]
fn a_vm_that_runs_is_not_told_to_be_saved() {
    let stage = Stage::new(Profile::Server2022);
    let vm = stage.add_two_disks("vm");
    let (_, host) = stage.connect();
    let text = format!(
        r#"{{"version": 1, "vm": "{vm}", "vm_name": "vm", "run": "dead",
            "host": "{}", "found": "running",
            "before": {{"snapshots": [], "reference_points": [], "leaves": []}}}}"#,
        host.name()
    );
    stage.write_journal(&format!("{vm}.dead.json"), &text);
    let found = find_residue(&host).unwrap();
    let [only] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(only.finding.id, "RESIDUE-POWER");
    let told = &only.finding.text;
    assert!(told.ends_with("the VM is running"), "{told}");
    assert!(fix_residue(&host).unwrap().is_empty());
    assert_eq!(stage.journal_entries(), 0);
}
