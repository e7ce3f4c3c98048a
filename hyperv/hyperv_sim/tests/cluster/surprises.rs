//! What a cluster does when a VM that should run does not.

use std::time::Duration;

use hyperv_sim::{ClusterEventKind, PowerState, RoleState};
use wmi::{Value, WmiSession as _};

use crate::fixture::{Fixture, resource, system};

const LATER: Duration = Duration::from_secs(10);

#[test]
fn a_vm_that_is_saved_directly_is_a_surprise_and_fails_over() {
    let test = Fixture::of_nodes(2);
    let vm = test.vm("HV1", "SQL01");
    let session = test.session("HV1");
    let save = [("RequestedState", Value::from(6_u16))];
    session
        .invoke(&system(vm), "RequestStateChange", &save)
        .unwrap();
    let surprises = test.cluster.surprises().unwrap();
    assert_eq!(surprises.len(), 1);
    assert_eq!(surprises[0].vm, Some(vm));
    let saved = Some(PowerState::Saved);
    assert_eq!(
        surprises[0].kind,
        ClusterEventKind::Surprise { power: saved }
    );
    assert_eq!(resource(&session, vm).number::<u32>("State"), Some(4));
    assert_eq!(test.shown_by(vm), ["HV1"]);
    test.cluster.advance(LATER).unwrap();
    assert_eq!(test.shown_by(vm), ["HV2"]);
    let host = test.cluster.node("HV2").unwrap();
    assert_eq!(host.vm(vm).unwrap().power, PowerState::Running);
    assert_eq!(resource(&session, vm).number::<u32>("State"), Some(2));
    let last = test.cluster.events().unwrap().pop().unwrap();
    assert_eq!(
        last.kind,
        ClusterEventKind::FailedOver {
            from: "HV1".to_owned()
        }
    );
}

#[test]
fn what_is_stopped_through_the_cluster_is_no_surprise() {
    let test = Fixture::of_nodes(2);
    let vm = test.vm("HV2", "SQL01");
    test.cluster.take_offline(vm).unwrap();
    let host = test.cluster.node("HV2").unwrap();
    assert_eq!(host.vm(vm).unwrap().power, PowerState::Saved);
    test.cluster.advance(LATER).unwrap();
    assert_eq!(host.vm(vm).unwrap().power, PowerState::Saved);
    assert_eq!(
        test.cluster.facts().unwrap().roles[&vm].state,
        RoleState::Offline
    );
    test.cluster.bring_online(vm).unwrap();
    assert_eq!(host.vm(vm).unwrap().power, PowerState::Running);
    assert!(test.cluster.surprises().unwrap().is_empty());
    // Pausing and what is on its way are nothing that a cluster looks at.
    host.pause(vm).unwrap();
    host.resume(vm).unwrap();
    assert!(test.cluster.surprises().unwrap().is_empty());
}

#[test]
fn a_vm_that_runs_again_in_time_stays_where_it_is() {
    let test = Fixture::of_nodes(2);
    let vm = test.vm("HV1", "SQL01");
    let host = test.cluster.node("HV1").unwrap();
    host.stop(vm).unwrap();
    host.start(vm).unwrap();
    test.cluster.advance(LATER).unwrap();
    assert_eq!(test.shown_by(vm), ["HV1"]);
    assert_eq!(test.cluster.surprises().unwrap().len(), 1);
    assert_eq!(
        test.cluster.facts().unwrap().roles[&vm].state,
        RoleState::Online
    );
}

#[test]
fn a_rule_lets_it_start_in_place_first() {
    let test = Fixture::of_nodes(2);
    let vm = test.vm("HV1", "SQL01");
    test.cluster
        .change_rules(|rules| rules.restarts_in_place = 1)
        .unwrap();
    for node in ["HV1", "HV2"] {
        test.cluster.owner_host(vm).unwrap().stop(vm).unwrap();
        test.cluster.advance(LATER).unwrap();
        assert_eq!(test.shown_by(vm), [node]);
        let host = test.cluster.node(node).unwrap();
        assert_eq!(host.vm(vm).unwrap().power, PowerState::Running);
    }
    assert_eq!(test.cluster.surprises().unwrap().len(), 2);
}

#[test]
fn the_hosts_own_backup_may_stop_it_for_a_moment() {
    let test = Fixture::of_nodes(2);
    let vm = test.vm("HV1", "SQL01");
    let host = test.cluster.node("HV1").unwrap();
    test.cluster.excuse(vm, true).unwrap();
    host.save(vm).unwrap();
    host.start(vm).unwrap();
    test.cluster.excuse(vm, false).unwrap();
    assert!(test.cluster.surprises().unwrap().is_empty());
    test.cluster.excuse(vm, true).unwrap();
    host.save(vm).unwrap();
    test.cluster.excuse(vm, false).unwrap();
    assert_eq!(test.cluster.surprises().unwrap().len(), 1);
}

#[test]
fn a_vm_that_is_removed_under_the_cluster_is_a_surprise_unless_it_is_offline() {
    let test = Fixture::of_nodes(2);
    let (first, second) = (test.vm("HV1", "SQL01"), test.vm("HV1", "WEB01"));
    let host = test.cluster.node("HV1").unwrap();
    test.cluster.take_offline(first).unwrap();
    host.remove_vm(first, false).unwrap();
    assert!(test.cluster.surprises().unwrap().is_empty());
    host.remove_vm(second, false).unwrap();
    let surprises = test.cluster.surprises().unwrap();
    assert_eq!(surprises.len(), 1);
    assert_eq!(
        surprises[0].kind,
        ClusterEventKind::Surprise { power: None }
    );
    test.cluster.advance(LATER).unwrap();
    assert_eq!(
        test.cluster.facts().unwrap().roles[&second].state,
        RoleState::Failed
    );
}

#[test]
fn on_a_single_host_nothing_is_a_surprise() {
    let test = Fixture::of_nodes(1);
    let vm = test.vm("HV1", "SQL01");
    let host = test.cluster.node("HV1").unwrap();
    test.cluster.remove_role(vm).unwrap();
    host.stop(vm).unwrap();
    test.cluster.advance(LATER).unwrap();
    assert_eq!(host.vm(vm).unwrap().power, PowerState::Off);
    assert!(test.cluster.surprises().unwrap().is_empty());
}
