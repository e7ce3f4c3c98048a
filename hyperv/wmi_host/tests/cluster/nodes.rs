//! One run over all nodes, and nodes that go down.

use hyperv_host::{BackupMode, HypervHost as _};
use hyperv_sim::NodeState;

use crate::run::{Silent, back_up, finish, request};
use crate::stage::{Stage, entry, list};

#[test]
fn one_run_backs_up_the_vms_of_all_nodes() {
    for nodes in [2, 4, 16] {
        let stage = Stage::new(nodes);
        let count = nodes.max(10);
        let vms: Vec<_> = (0..count)
            .map(|number| stage.add(&format!("HV{}", number % nodes + 1), &format!("vm{number}")))
            .collect();
        let before = stage.ledger();
        let host = stage.connect();
        let inventory = list(&host);
        for vm in &vms {
            let entry = entry(&inventory, *vm);
            let request = request("run", BackupMode::Tracked);
            let frozen = host.begin_backup(&entry, &request, None, &Silent).unwrap();
            let point = finish(&stage, *vm, frozen).unwrap();
            assert!(point.has_cursor());
            assert_eq!(point.node, entry.node);
        }
        assert_eq!(stage.differences(&before), []);
        assert_eq!(stage.journal_entries(), 0);
        stage.assert_no_surprises();
    }
}

#[test]
fn a_vm_whose_node_goes_down_while_it_is_read_is_settled_where_it_came_up() {
    let stage = Stage::new(3);
    let vm = stage.add("HV2", "vm");
    let host = stage.connect();
    let entry = entry(&list(&host), vm);
    let request_one = request("one", BackupMode::Tracked);
    let frozen = host
        .begin_backup(&entry, &request_one, None, &Silent)
        .unwrap();
    stage.sim.set_node("HV2", NodeState::Down).unwrap();
    stage
        .sim
        .advance(std::time::Duration::from_secs(60))
        .unwrap();
    assert_ne!(stage.sim.owner(vm).unwrap(), "HV2");
    let point = finish(&stage, vm, frozen).unwrap();
    assert!(point.ids().contains(&"VM-MOVED"), "{point:?}");
    stage.sim.settle().unwrap();
    let second = back_up(
        &stage,
        &stage.connect(),
        vm,
        &request("two", BackupMode::Tracked),
        Some(&point),
    );
    second.unwrap();
    assert_eq!(stage.journal_entries(), 0);
    let own = stage.host_of(vm).vm(vm).unwrap();
    assert_eq!(own.snapshots.len(), 0);
}

#[test]
fn the_cluster_is_asked_through_another_node_when_the_first_is_down() {
    let stage = Stage::new(3);
    let vm = stage.add("HV3", "vm");
    let host = stage.connect();
    let entry = entry(&list(&host), vm);
    stage.sim.set_node("HV1", NodeState::Down).unwrap();
    let request = request("run", BackupMode::Tracked);
    let frozen = host.begin_backup(&entry, &request, None, &Silent).unwrap();
    finish(&stage, vm, frozen).unwrap();
    assert_eq!(list(&host).findings[0].id, "HOST-NODE-DOWN");
}

#[test]
fn vms_on_shares_and_volumes_are_read_from_anywhere() {
    let stage = Stage::new(2);
    let on_share = {
        let mut spec = hyperv_sim::VmSpec::new("nas")
            .with_disk(hyperv_sim::DiskSpec::empty(crate::stage::DISK_BYTES));
        spec.folder = Some(r"\\nas\vm\nas".to_owned());
        stage.add_spec("HV2", &spec)
    };
    let host = stage.connect();
    let entry = entry(&list(&host), on_share);
    assert!(
        entry.disks[0].path.starts_with(r"\\nas\vm\"),
        "{}",
        entry.disks[0].path
    );
    let request = request("run", BackupMode::Tracked);
    let frozen = host.begin_backup(&entry, &request, None, &Silent).unwrap();
    assert!(finish(&stage, on_share, frozen).unwrap().has_cursor());
}
