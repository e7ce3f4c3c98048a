//! Nodes that go down, come up, or cannot be reached.

use hyperv_sim::{NodeState, PowerState, RoleState};
use wmi::{CLUSTER, VIRTUALIZATION, WmiErrorKind, WmiSession as _};

use crate::fixture::{Fixture, all_of, guid};

#[test]
fn what_ran_on_a_lost_node_runs_on_others() {
    let test = Fixture::of_nodes(3);
    let (running, saved) = (test.vm("HV2", "SQL01"), test.vm("HV2", "WEB01"));
    test.cluster.take_offline(saved).unwrap();
    test.cluster.set_node("HV2", NodeState::Down).unwrap();
    let facts = test.cluster.facts().unwrap();
    assert_eq!(facts.roles[&running].owner, "HV3");
    assert_eq!(facts.roles[&saved].owner, "HV3");
    let host = test.cluster.node("HV3").unwrap();
    assert_eq!(host.vm(running).unwrap().power, PowerState::Running);
    assert_eq!(host.vm(saved).unwrap().power, PowerState::Saved);
    assert!(test.cluster.surprises().unwrap().is_empty());
    // Nobody answers there, and the others say so.
    let session = test.session("HV2");
    let error = session
        .query_all(CLUSTER, "SELECT * FROM MSCluster_Node")
        .unwrap_err();
    assert_eq!(error.kind(), WmiErrorKind::Unreachable);
    let nodes = all_of(&test.session("HV1"), "MSCluster_Node");
    assert_eq!(nodes[1].number::<u32>("State"), Some(1));
    test.cluster.move_vm(running, "HV2").unwrap_err();
    test.cluster.set_node("HV2", NodeState::Up).unwrap();
    test.cluster.move_vm(running, "HV2").unwrap();
    let wql = format!(
        "SELECT * FROM Msvm_ComputerSystem WHERE Name = '{}'",
        guid(running)
    );
    assert_eq!(session.query_all(VIRTUALIZATION, &wql).unwrap().len(), 1);
}

#[test]
fn with_no_node_left_a_role_waits_for_one() {
    let test = Fixture::of_nodes(2);
    let vm = test.vm("HV1", "SQL01");
    test.cluster.set_node("HV2", NodeState::Down).unwrap();
    test.cluster.set_node("HV1", NodeState::Down).unwrap();
    let state = |test: &Fixture| test.cluster.facts().unwrap().roles[&vm].state;
    assert_eq!(state(&test), RoleState::Failed);
    test.cluster.set_node("HV2", NodeState::Up).unwrap();
    assert_eq!(state(&test), RoleState::Online);
    assert_eq!(test.shown_by_up(vm), ["HV2"]);
}

#[test]
fn a_node_that_restarts_loses_its_roles_and_surprises_nobody() {
    let test = Fixture::of_nodes(2);
    let vm = test.vm("HV1", "SQL01");
    test.cluster.node("HV1").unwrap().crash_host(false).unwrap();
    test.cluster
        .advance(std::time::Duration::from_secs(10))
        .unwrap();
    assert_eq!(test.shown_by(vm), ["HV2"]);
    assert!(test.cluster.surprises().unwrap().is_empty());
}

#[test]
fn a_node_that_cannot_be_reached_is_up_for_the_cluster() {
    let test = Fixture::of_nodes(2);
    let vm = test.vm("HV2", "SQL01");
    test.cluster.set_reachable("HV2", false).unwrap();
    let session = test.session("HV2");
    let error = session.query_all(VIRTUALIZATION, "SELECT * FROM Msvm_ComputerSystem");
    assert_eq!(error.unwrap_err().kind(), WmiErrorKind::Unreachable);
    let nodes = all_of(&test.session("HV1"), "MSCluster_Node");
    assert_eq!(nodes[1].number::<u32>("State"), Some(0));
    assert_eq!(test.cluster.owner(vm).unwrap(), "HV2");
}

#[test]
fn a_paused_node_keeps_what_it_has_and_takes_nothing() {
    let test = Fixture::of_nodes(2);
    let (own, other) = (test.vm("HV2", "SQL01"), test.vm("HV1", "WEB01"));
    test.cluster.set_node("HV2", NodeState::Paused).unwrap();
    assert_eq!(test.shown_by(own), ["HV2"]);
    test.cluster.move_vm(other, "HV2").unwrap_err();
    test.cluster.move_vm(own, "HV1").unwrap();
}

#[test]
fn a_node_that_dies_while_it_stopped_a_vm_for_a_moment_loses_it_too() {
    let test = Fixture::of_nodes(2);
    let vm = test.vm("HV1", "SQL01");
    let host = test.cluster.node("HV1").unwrap();
    test.cluster.excuse(vm, true).unwrap();
    host.crash_host(false).unwrap();
    test.cluster
        .advance(std::time::Duration::from_secs(10))
        .unwrap();
    assert_eq!(test.shown_by(vm), ["HV2"]);
}
