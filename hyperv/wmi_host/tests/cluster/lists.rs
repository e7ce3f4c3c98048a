//! What a cluster has, and what of it cannot be seen.

use hyperv_host::{HostErrorKind, HypervHost as _, Severity};
use hyperv_sim::{ClusterOptions, NodeState, Profile};
use wmi_host::ClusterHost;

use crate::run::{Silent, request};
use crate::stage::{Stage, connect_node, entry, ids, list};

#[test]
fn all_vms_are_listed_once_with_their_nodes() {
    let stage = Stage::new(4);
    for number in 1..=8 {
        stage.add(&format!("HV{}", number % 4 + 1), &format!("vm{number}"));
    }
    let inventory = list(&stage.connect());
    let listed: Vec<(String, String)> = inventory
        .vms
        .iter()
        .map(|vm| (vm.name.clone(), vm.node.clone().unwrap()))
        .collect();
    let expected: Vec<(String, String)> = (1..=8)
        .map(|number| (format!("vm{number}"), format!("HV{}", number % 4 + 1)))
        .collect();
    assert_eq!(listed, expected);
    assert_eq!(ids(&inventory.findings), [] as [&str; 0]);
    for vm in &inventory.vms {
        assert_eq!(ids(&vm.findings), [] as [&str; 0], "{}", vm.name);
    }
}

#[test]
fn a_node_that_lets_nobody_in_is_told_with_its_vms_and_the_way_in() {
    let stage = Stage::new(2);
    stage.add("HV1", "a");
    let b = stage.add("HV2", "b");
    let host = stage.connect_without(&["HV2"]);
    let inventory = list(&host);
    let finding = &inventory.findings[0];
    assert_eq!(finding.id, "HOST-NODE-NOT-COVERED");
    assert_eq!(
        finding.text,
        "the node HV2 of the cluster CLUSTER1 is not covered: access is denied; not backed up \
         now: b"
    );
    assert_eq!(finding.cure.as_deref(), Some("enrol HV2"));
    let names: Vec<&str> = inventory.vms.iter().map(|vm| vm.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    let entry = entry(&inventory, b);
    assert_eq!(entry.node.as_deref(), Some("HV2"));
    assert_eq!(ids(&entry.findings), ["VM-NODE-NOT-COVERED"]);
    assert_eq!(entry.findings[0].severity, Severity::Block);
    let request = request("run", hyperv_host::BackupMode::Tracked);
    let Err(error) = host.begin_backup(&entry, &request, None, &Silent) else {
        panic!("a VM on a node that lets nobody in was backed up");
    };
    assert_eq!(error.kind(), HostErrorKind::Blocked);
    assert_eq!(error.hint_text(), Some("enrol HV2"));
}

#[test]
fn a_node_that_does_not_answer_is_told_with_the_commands_that_make_it_answer() {
    let stage = Stage::new(2);
    stage.add("HV2", "b");
    stage.sim.set_reachable("HV2", false).unwrap();
    let inventory = list(&stage.connect());
    let finding = &inventory.findings[0];
    assert_eq!(finding.id, "HOST-NODE-NOT-COVERED");
    let cure = finding.cure.as_deref().unwrap();
    let commands = "on HV2, as an administrator: Enable-PSRemoting -Force; then see that this works \
                    here: lifeboat vm list --host winrm://USER@HV2";
    assert!(cure.ends_with(commands), "{cure}");
    stage.sim.set_reachable("HV2", true).unwrap();
    assert!(list(&stage.connect()).findings.is_empty());
}

/// Requirement PRE-34.
#[test]
fn hyper_v_that_does_not_run_on_a_node_is_told_with_the_node() {
    let stage = Stage::new(3);
    stage.add("HV1", "a");
    let node = stage.sim.node("HV2").unwrap();
    node.change_behavior(|behavior| {
        behavior
            .services
            .insert("vmms".to_owned(), "Stopped".to_owned());
    })
    .unwrap();
    let found = stage.connect().doctor().unwrap();
    let about = |(_, own): &&(Option<String>, hyperv_host::Finding)| own.id == "HOST-VMMS";
    let told: Vec<&str> = found
        .iter()
        .filter(about)
        .map(|(_, own)| own.text.as_str())
        .collect();
    let [text] = told.as_slice() else {
        panic!("{found:?}");
    };
    assert!(text.starts_with("HV2: "), "{text}");
}

#[test]
fn a_node_that_is_down_is_told_and_its_vms_are_found_where_they_came_up() {
    let stage = Stage::new(3);
    let vm = stage.add("HV2", "vm");
    stage.sim.set_node("HV2", NodeState::Down).unwrap();
    stage
        .sim
        .advance(std::time::Duration::from_secs(60))
        .unwrap();
    let inventory = list(&stage.connect());
    assert_eq!(ids(&inventory.findings), ["HOST-NODE-DOWN"]);
    let entry = entry(&inventory, vm);
    assert_eq!(entry.node.unwrap(), stage.sim.owner(vm).unwrap());
    assert_ne!(stage.sim.owner(vm).unwrap(), "HV2");
}

#[test]
fn a_vm_that_is_no_role_is_flagged_and_listed_where_it_is() {
    let stage = Stage::new(2);
    stage.add("HV1", "role");
    let alone = stage.add_alone("HV2", "alone");
    let inventory = list(&stage.connect());
    let entry = entry(&inventory, alone);
    assert_eq!(entry.node.as_deref(), Some("HV2"));
    assert_eq!(ids(&entry.findings), ["VM-NOT-CLUSTERED"]);
}

#[test]
fn equal_names_on_different_nodes_are_told() {
    let stage = Stage::new(2);
    let one = stage.add("HV1", "web");
    let other = stage.add("HV2", "web");
    let inventory = list(&stage.connect());
    for vm in [one, other] {
        let found = entry(&inventory, vm).findings;
        assert!(ids(&found).contains(&"VM-SAME-NAME"), "{found:?}");
    }
}

#[test]
fn a_mixed_cluster_is_told_once() {
    let options = ClusterOptions::of_nodes(4, Profile::Server2016);
    let stage = Stage::of(ClusterOptions {
        functional_level: Some(8),
        ..options
    });
    let inventory = list(&stage.connect());
    assert_eq!(ids(&inventory.findings), ["HOST-CLUSTER-MIXED"]);
}

#[test]
fn another_backup_of_a_shared_volume_is_told() {
    let stage = Stage::new(2);
    let volume = r"C:\ClusterStorage\Volume1";
    stage.sim.begin_csv_backup("HV1", volume).unwrap();
    let inventory = list(&stage.connect());
    assert_eq!(ids(&inventory.findings), ["HOST-CSV-IN-BACKUP"]);
    stage.sim.end_csv_backup("HV1", volume).unwrap();
    assert!(list(&stage.connect()).findings.is_empty());
}

#[test]
fn a_host_in_no_cluster_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let options = hyperv_sim::SimOptions::default();
    let sim = hyperv_sim::SimHost::create(&folder.path().join("host"), options).unwrap();
    let host = connect_node(&sim.into(), None, folder.path().join("journal"));
    let error = ClusterHost::connect(host, Box::new(|_| unreachable!())).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Refused);
}

#[test]
fn doctor_tells_of_every_node() {
    let stage = Stage::new(3);
    stage.add("HV1", "a");
    stage.add_alone("HV3", "alone");
    let host = stage.connect_without(&["HV2"]);
    let found = host.doctor().unwrap();
    let told: Vec<(Option<&str>, &str)> = found
        .iter()
        .map(|(vm, finding)| (vm.as_deref(), finding.id.as_str()))
        .collect();
    assert!(told.contains(&(None, "HOST-NODE-NOT-COVERED")), "{told:?}");
    assert!(
        told.contains(&(Some("alone"), "VM-NOT-CLUSTERED")),
        "{told:?}"
    );
    assert_eq!(host.find_residue().unwrap().len(), 0);
}
