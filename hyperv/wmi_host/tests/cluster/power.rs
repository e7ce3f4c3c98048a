//! The cluster is told before a VM of its is saved, and makes the snapshots of its volumes.

use hyperv_host::{
    BackupMode, BackupRequest, FrozenVm, HostError, HostErrorKind, HypervHost as _, SavedState,
};
use hyperv_sim::{ClusterEventKind, Component, ComponentKind, PowerState};
use uuid::Uuid;
use wmi_host::ClusterHost;

use crate::run::{Silent, request};
use crate::stage::{Stage, entry, list};

const VOLUME: &str = r"C:\ClusterStorage\Volume1";

/// Makes a VM whose guest is too old for anything but being saved.
pub(crate) fn old_guest(stage: &Stage, node: &str) -> Uuid {
    let vm = stage.add(node, "old");
    let host = stage.host_of(vm);
    let silent = Component {
        enabled: true,
        status: 13,
    };
    host.set_component(vm, ComponentKind::Vss, silent).unwrap();
    host.change_vm(vm, |vm| {
        let name = "Windows XP Professional".to_owned();
        vm.told.insert("OSName".to_owned(), name);
    })
    .unwrap();
    vm
}

pub(crate) fn saving() -> BackupRequest {
    let mut request = request("run", BackupMode::Standard);
    request.saved_state = SavedState::Allow;
    request
}

fn begin(
    host: &ClusterHost,
    vm: Uuid,
    request: &BackupRequest,
) -> Result<Box<dyn FrozenVm>, HostError> {
    host.begin_backup(&entry(&list(host), vm), request, None, &Silent)
}

fn check_read(stage: &Stage, vm: Uuid, frozen: &dyn FrozenVm) {
    let disk = &frozen.source().disks[0];
    let mut content = vec![0; usize::try_from(disk.device.size_bytes()).unwrap()];
    disk.device.read_at(0, &mut content).unwrap();
    assert!(content == stage.content(vm), "the disk is not as it was");
}

#[test]
fn a_vm_of_a_cluster_is_saved_and_brought_back_through_the_cluster() {
    let stage = Stage::new(2);
    let vm = old_guest(&stage, "HV2");
    let before = stage.ledger();
    let host = stage.connect();
    let mut frozen = begin(&host, vm, &saving()).unwrap();
    assert_eq!(frozen.source().method.name(), "saved-state");
    check_read(&stage, vm, &*frozen);
    assert_eq!(stage.host_of(vm).vm(vm).unwrap().power, PowerState::Running);
    frozen.seal().unwrap();
    frozen.commit();
    stage.assert_no_surprises();
    let events = stage.sim.events().unwrap();
    let has = |kind: &ClusterEventKind| events.iter().any(|event| event.kind == *kind);
    assert!(has(&ClusterEventKind::TakenOffline) && has(&ClusterEventKind::BroughtOnline));
    assert_eq!(stage.differences(&before), []);
    assert_eq!(stage.sim.owner(vm).unwrap(), "HV2");
}

#[test]
fn snapshots_are_made_by_the_coordinator_where_the_node_may_not_make_them() {
    let stage = Stage::new(2);
    let vm = old_guest(&stage, "HV2");
    let before = stage.ledger();
    stage.sim.move_volume(VOLUME, "HV1").unwrap();
    stage
        .sim
        .change_rules(|rules| rules.snapshots_on_any_node = false)
        .unwrap();
    let host = stage.connect();
    let mut frozen = begin(&host, vm, &saving()).unwrap();
    check_read(&stage, vm, &*frozen);
    frozen.seal().unwrap();
    frozen.commit();
    assert_eq!(stage.differences(&before), []);
    stage.assert_no_surprises();
}

#[test]
fn a_coordinator_that_cannot_be_reached_is_named_and_the_vm_runs_on() {
    let stage = Stage::new(3);
    let vm = old_guest(&stage, "HV2");
    let before = stage.ledger();
    stage.sim.move_volume(VOLUME, "HV3").unwrap();
    stage
        .sim
        .change_rules(|rules| rules.snapshots_on_any_node = false)
        .unwrap();
    let host = stage.connect_without(&["HV3"]);
    let Err(error) = begin(&host, vm, &saving()) else {
        panic!("a snapshot was made");
    };
    assert_eq!(error.kind(), HostErrorKind::Blocked);
    let text = error.to_string();
    assert!(
        text.contains("HOST-CSV-ELSEWHERE") && text.contains("HV3"),
        "{text}"
    );
    assert!(
        error
            .hint_text()
            .unwrap()
            .contains("Move-ClusterSharedVolume")
    );
    assert_eq!(stage.differences(&before), []);
    assert_eq!(stage.journal_entries(), 0);
    stage.assert_no_surprises();
}

#[test]
fn another_backup_of_the_volume_is_waited_for_and_then_given_up() {
    let stage = Stage::new(2);
    let vm = old_guest(&stage, "HV1");
    let before = stage.ledger();
    stage
        .sim
        .change_rules(|rules| rules.parallel_volume_backups = false)
        .unwrap();
    stage.sim.begin_csv_backup("HV2", VOLUME).unwrap();
    let host = stage.connect();
    let Err(error) = begin(&host, vm, &saving()) else {
        panic!("two backups of a volume went on");
    };
    assert_eq!(error.kind(), HostErrorKind::Busy, "{error}");
    stage.sim.end_csv_backup("HV2", VOLUME).unwrap();
    let mut frozen = begin(&host, vm, &saving()).unwrap();
    frozen.seal().unwrap();
    frozen.commit();
    assert_eq!(stage.differences(&before), []);
    stage.assert_no_surprises();
}
