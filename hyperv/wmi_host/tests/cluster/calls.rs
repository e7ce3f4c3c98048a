//! A cluster is asked a number of times that does not grow with its VMs.

use std::sync::Arc;

use hyperv_host::{BackupMode, HypervHost as _};

use crate::moving_session::MovePlan;
use crate::run::request;
use crate::stage::{Stage, list};

/// Of each node what a host by itself is asked: nine classes of VMs, Windows, volumes, and the
/// cluster in three.
const CALLS_OF_A_NODE: u64 = 15;
/// The cluster itself in three, its volumes in three, its roles in one.
const CALLS_OF_THE_CLUSTER: u64 = 7;

fn calls_of(nodes: usize, vms_of_each: usize) -> (u64, u64) {
    let stage = Stage::new(nodes);
    let mut last = None;
    for node in 1..=nodes {
        for number in 0..vms_of_each {
            last = Some(stage.add(&format!("HV{node}"), &format!("vm{node}-{number}")));
        }
    }
    let plan = MovePlan::new(&stage.sim, last.unwrap(), 0, 0);
    let host = stage.connect_moving(Some(Arc::clone(&plan)), &[]).unwrap();
    plan.begin();
    let inventory = list(&host);
    let listed = plan.calls();
    assert_eq!(inventory.vms.len(), nodes * vms_of_each);
    for vm in &inventory.vms {
        host.plan(vm, &request("plan", BackupMode::Tracked), None)
            .unwrap();
    }
    (listed, plan.calls() - listed)
}

#[test]
fn a_list_costs_each_node_as_much_as_a_host_and_a_plan_nothing() {
    for (nodes, vms_of_each) in [(2, 1), (2, 6), (4, 2), (16, 1)] {
        let (listed, planned) = calls_of(nodes, vms_of_each);
        let nodes = u64::try_from(nodes).unwrap();
        let expected = nodes * CALLS_OF_A_NODE + CALLS_OF_THE_CLUSTER;
        println!("{nodes} nodes, {vms_of_each} VMs each: {listed} calls");
        assert_eq!(
            listed, expected,
            "{nodes} nodes with {vms_of_each} VMs each"
        );
        assert_eq!(planned, 0, "plans build upon the list");
    }
}
