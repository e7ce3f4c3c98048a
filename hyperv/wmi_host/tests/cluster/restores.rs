//! VMs are restored on the node that owns their role, which is offline meanwhile.

use std::fs;

use hyperv_host::{HostErrorKind, Identity, ImportOrder, PlacedDisk, PowerState, RestoreHost as _};
use hyperv_sim::{ClusterEventKind, PowerState as SimPower};
use uuid::Uuid;
use wmi_host::ClusterHost;

use crate::run::Silent;
use crate::stage::{Stage, ids};

const VOLUME: &str = r"C:\ClusterStorage\Volume1";

/// Copies a VM's files as a restore would write them.
fn order(stage: &Stage, host: &ClusterHost, vm: Uuid) -> ImportOrder {
    let vm = stage.host_of(vm).vm(vm).unwrap();
    let copy = |from: &str, to: &str| {
        let to = host.local_path(to).unwrap();
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(host.local_path(from).unwrap(), to).unwrap();
    };
    let definition = format!("{VOLUME}\\Staging\\{}", vm.config_file);
    copy(
        &format!("{}\\{}", vm.config_root, vm.config_file),
        &definition,
    );
    let disk = &vm.disks[0];
    let path = format!("{VOLUME}\\Restored\\disk.vhdx");
    copy(&disk.path, &path);
    ImportOrder {
        definition,
        checkpoint_folder: None,
        identity: Identity::Keep,
        name: None,
        configuration_folder: format!("{VOLUME}\\Restored"),
        disks: vec![PlacedDisk {
            checkpoint: None,
            slot: disk.slot,
            path,
        }],
        adapters: Vec::new(),
        keep_memory: false,
        run: "restore-1".to_owned(),
    }
}

#[test]
fn a_role_is_offline_while_its_vm_is_restored_on_its_owner_and_online_after() {
    let stage = Stage::new(3);
    let vm = stage.add("HV2", "web");
    let id = vm.to_string();
    let host = stage.connect();
    let was = host.set_power(&id, PowerState::Off, &Silent).unwrap();
    assert_eq!(was, PowerState::Running);
    assert_eq!(stage.host_of(vm).vm(vm).unwrap().power, SimPower::Off);
    let order = order(&stage, &host, vm);
    let error = host.import(&order, &Silent).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Blocked, "{error}");
    assert!(error.to_string().starts_with("POINT-SAME-VM"), "{error}");
    host.unregister(&id, &Silent).unwrap();
    assert!(stage.sim.nodes().all(|(_, node)| node.vm(vm).is_err()));
    let restored = host.import(&order, &Silent).unwrap();
    assert_eq!(restored.identity, id);
    assert!(
        ids(&restored.findings).is_empty(),
        "{:?}",
        restored.findings
    );
    assert!(stage.sim.node("HV2").unwrap().vm(vm).is_ok());
    assert_eq!(stage.sim.owner(vm).unwrap(), "HV2");
    host.set_power(&id, PowerState::Running, &Silent).unwrap();
    assert_eq!(stage.host_of(vm).vm(vm).unwrap().power, SimPower::Running);
    stage.assert_no_surprises();
    let events = stage.sim.events().unwrap();
    let at = |kind: &ClusterEventKind| {
        let mut own = events.iter();
        own.position(|event| event.vm == Some(vm) && event.kind == *kind)
    };
    let offline = at(&ClusterEventKind::TakenOffline).unwrap();
    assert!(offline < at(&ClusterEventKind::BroughtOnline).unwrap());
    stage.sim.move_vm(vm, "HV3").unwrap();
    assert!(stage.sim.node("HV3").unwrap().vm(vm).is_ok());
}

#[test]
fn a_running_role_s_vm_is_taken_away_only_once_it_is_off() {
    let stage = Stage::new(2);
    let vm = stage.add("HV1", "web");
    let host = stage.connect();
    let error = host.unregister(&vm.to_string(), &Silent).unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Blocked, "{error}");
    stage.assert_no_surprises();
    assert_eq!(stage.host_of(vm).vm(vm).unwrap().power, SimPower::Running);
}

#[test]
fn a_vm_with_a_new_identity_goes_to_a_node_that_is_up_and_is_no_role() {
    let stage = Stage::new(2);
    let vm = stage.add("HV2", "web");
    let host = stage.connect();
    host.set_power(&vm.to_string(), PowerState::Off, &Silent)
        .unwrap();
    let mut order = order(&stage, &host, vm);
    order.identity = Identity::New;
    stage
        .sim
        .set_node("HV1", hyperv_sim::NodeState::Paused)
        .unwrap();
    let restored = host.import(&order, &Silent).unwrap();
    assert_eq!(ids(&restored.findings), ["VM-ROLE-NONE"]);
    let made = Uuid::parse_str(&restored.identity).unwrap();
    assert!(stage.sim.node("HV2").unwrap().vm(made).is_ok());
    let target = host.target().unwrap();
    assert!(target.is_cluster);
    let listed = target
        .vms
        .iter()
        .find(|own| own.identity == restored.identity);
    let listed = listed.unwrap();
    assert_eq!(listed.node.as_deref(), Some("HV2"));
    assert!(!listed.is_clustered);
}

#[test]
fn only_shared_storage_is_a_place_of_the_cluster() {
    let stage = Stage::new(2);
    let host = stage.connect();
    let path = host.local_path(&format!("{VOLUME}\\new\\a.vhdx")).unwrap();
    assert!(path.ends_with("new/a.vhdx"), "{}", path.display());
    let error = host.local_path(r"C:\VMs\a.vhdx").unwrap_err();
    assert_eq!(error.kind(), HostErrorKind::Blocked, "{error}");
    assert!(host.settle_restores().unwrap().is_empty());
}
