//! Several programs over one cluster, and clusters that are opened again.

use std::sync::Barrier;
use std::time::Duration;

use hyperv_sim::{ClusterOptions, Profile, SimCluster, SimHost};

use crate::fixture::Fixture;

#[test]
fn what_one_program_does_another_sees() {
    let test = Fixture::of_nodes(2);
    let vm = test.vm("HV1", "SQL01");
    let other = SimCluster::open(&test.dir()).unwrap();
    // Both know the VM on HV1 before it moves.
    assert_eq!(other.node("HV1").unwrap().vms().unwrap().len(), 1);
    other.move_vm(vm, "HV2").unwrap();
    assert!(test.cluster.node("HV1").unwrap().vm(vm).is_err());
    test.cluster.remove_role(vm).unwrap();
    // A node that is opened by itself is one still, and what left it does not come back.
    let node = SimHost::open(&test.dir().join("nodes").join("HV1")).unwrap();
    assert!(node.vms().unwrap().is_empty());
    assert!(other.node("HV1").unwrap().vms().unwrap().is_empty());
    assert_eq!(other.node("HV2").unwrap().vms().unwrap().len(), 1);
    assert_eq!(node.drives().unwrap().len(), 3);
    let third = SimCluster::open(&test.dir()).unwrap();
    let (theirs, ours) = (third.events().unwrap(), test.cluster.events().unwrap());
    assert_eq!(theirs, ours);
    assert_eq!(theirs.len(), 3);
}

#[test]
fn all_nodes_have_one_clock() {
    let test = Fixture::of_nodes(3);
    let now = |node: &str| test.cluster.node(node).unwrap().now().unwrap();
    test.cluster
        .node("HV3")
        .unwrap()
        .advance(Duration::from_secs(3600))
        .unwrap();
    let third = now("HV3");
    assert!(now("HV1") > third);
    assert!(now("HV2") > third);
}

#[test]
fn programs_that_move_vms_at_once_do_not_lose_any() {
    let test = Fixture::of_nodes(4);
    let vms: Vec<_> = (0..4)
        .map(|number| test.vm("HV1", &format!("VM{number}")))
        .collect();
    let (dir, barrier) = (test.dir(), Barrier::new(3));
    std::thread::scope(|scope| {
        for program in 0..3_usize {
            let (vms, dir, barrier) = (&vms, &dir, &barrier);
            scope.spawn(move || {
                let cluster = SimCluster::open(dir).unwrap();
                barrier.wait();
                for round in 0..8_usize {
                    let vm = vms[(round + program) % vms.len()];
                    let node = format!("HV{}", (round * 3 + program) % 4 + 1);
                    cluster.move_vm(vm, &node).unwrap();
                    // It may be on its way to somewhere else already.
                    let _ = cluster.owner_host(vm).unwrap().write(vm, 0, 0, &[1; 512]);
                }
            });
        }
    });
    let reopened = SimCluster::open(&dir).unwrap();
    for vm in vms {
        let owner = reopened.owner(vm).unwrap();
        assert_eq!(test.shown_by(vm), [owner]);
    }
}

#[test]
fn a_cluster_needs_a_folder_of_its_own_and_nodes_with_names() {
    let test = Fixture::of_nodes(1);
    let again = ClusterOptions::of_nodes(1, Profile::Server2022);
    assert!(SimCluster::create(&test.dir(), again.clone()).is_err());
    assert!(SimCluster::is_in(&test.dir()));
    assert!(SimCluster::open(&test.dir().join("nodes")).is_err());
    let elsewhere = test.dir().join("elsewhere");
    for name in ["", "..", "a/b", "HV1"] {
        let mut options = ClusterOptions::of_nodes(2, Profile::Server2022);
        options.nodes[1].name = name.to_owned();
        assert!(SimCluster::create(&elsewhere, options).is_err(), "{name:?}");
    }
    assert!(
        SimCluster::create(&elsewhere, ClusterOptions::of_nodes(0, Profile::Server2022)).is_err()
    );
}
