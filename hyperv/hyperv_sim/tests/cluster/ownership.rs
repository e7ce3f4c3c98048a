//! A VM is on one node, the cluster is the same from each.

use wmi::{VIRTUALIZATION, WmiSession as _};

use crate::fixture::{Fixture, all_of, resource};

const CLASSES: [&str; 5] = [
    "MSCluster_Cluster",
    "MSCluster_Node",
    "MSCluster_ResourceGroup",
    "MSCluster_Resource",
    "MSCluster_ClusterSharedVolume",
];

#[test]
fn each_vm_is_seen_on_its_owner_and_the_cluster_from_every_node() {
    for count in [2, 4, 16] {
        let test = Fixture::of_nodes(count);
        let nodes: Vec<String> = test
            .cluster
            .nodes()
            .map(|(name, _)| name.to_owned())
            .collect();
        let vms: Vec<_> = nodes
            .iter()
            .map(|node| test.vm(node, &format!("VM-{node}")))
            .collect();
        for (vm, node) in vms.iter().zip(&nodes) {
            assert_eq!(test.shown_by(*vm), std::slice::from_ref(node));
        }
        let first = test.session(&nodes[0]);
        for node in &nodes {
            let session = test.session(node);
            for class in CLASSES {
                assert_eq!(all_of(&session, class), all_of(&first, class), "{class}");
            }
            let wql = "SELECT * FROM Msvm_ComputerSystem WHERE Caption = 'Virtual Machine'";
            assert_eq!(session.query_all(VIRTUALIZATION, wql).unwrap().len(), 1);
        }
        assert_eq!(all_of(&first, "MSCluster_Node").len(), count);
        assert_eq!(all_of(&first, "MSCluster_ResourceGroup").len(), count);
    }
}

#[test]
fn a_vm_moves_and_keeps_all_that_it_has() {
    let test = Fixture::of_nodes(2);
    let vm = test.vm("HV1", "SQL01");
    let first = test.cluster.node("HV1").unwrap();
    let second = test.cluster.node("hv2").unwrap();
    first.write(vm, 0, 0, &[7; 4096]).unwrap();
    let user = first.checkpoint(vm, "mine").unwrap();
    let point = first.convert_checkpoint(test.recovery(vm)).unwrap();
    test.cluster.settle().unwrap();
    let id = first.vm(vm).unwrap().reference_points[0].disks[0]
        .tracking_id
        .clone();
    first.write(vm, 0, 1 << 20, &[8; 4096]).unwrap();
    let before = test.cluster.ledger().unwrap();
    test.cluster.move_vm(vm, "HV2").unwrap();
    assert_eq!(test.shown_by(vm), ["HV2"]);
    assert_eq!(test.cluster.ledger().unwrap(), before);
    let moved = second.vm(vm).unwrap();
    assert!(moved.snapshot(user).is_some());
    assert_eq!(moved.reference_points[0].id, point);
    // What was written before the move is known after it.
    let frozen = test.recovery(vm);
    let path = second.vm(vm).unwrap().snapshot(frozen).unwrap().disks[0]
        .path
        .clone();
    let changes = second.changes(&path, &id, 0, 4 << 20).unwrap();
    assert_eq!(changes.ranges.len(), 1, "{changes:?}");
    for node in ["HV1", "HV2"] {
        let resource = resource(&test.session(node), vm);
        assert_eq!(resource.text("OwnerNode").as_deref(), Some("HV2"));
        assert_eq!(resource.number::<u32>("State"), Some(2));
    }
}
