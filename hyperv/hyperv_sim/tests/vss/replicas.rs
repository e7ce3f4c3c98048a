//! Replication: what it stands in the way of, and pausing it.

use std::time::Duration;

use hyperv_sim::{LedgerKind, Profile, Replication, SimErrorKind, SimSession, SnapshotSettings};
use uuid::Uuid;
use wmi::{VIRTUALIZATION, Value, WmiSession as _};

use crate::stage::Stage;

fn replica(stage: &Stage) -> Uuid {
    let vm = stage.vm("replica");
    stage.host.stop(vm).unwrap();
    let replication = Replication {
        mode: 2,
        state: 3,
        health: 1,
        applying_log: false,
    };
    stage.host.set_replication(vm, replication).unwrap();
    let plan = (Duration::from_secs(300), Duration::from_secs(20));
    stage.host.plan_replication(vm, Some(plan)).unwrap();
    vm
}

fn checkpoint(stage: &Stage, vm: Uuid) -> Result<(), hyperv_sim::SimError> {
    let settings = SnapshotSettings::recovery(hyperv_sim::Consistency::Crash);
    let made = stage.host.make_checkpoint(vm, &settings)?;
    stage.host.delete_checkpoint(made)?;
    stage.host.settle()
}

#[test]
fn while_a_log_is_applied_a_backup_is_refused_and_later_it_is_not() {
    let stage = Stage::new(Profile::Server2022);
    let vm = replica(&stage);
    let refused = checkpoint(&stage, vm).unwrap_err();
    assert_eq!(
        (refused.kind(), refused.code()),
        (SimErrorKind::Conflict, 32775)
    );
    stage.host.advance(Duration::from_secs(21)).unwrap();
    checkpoint(&stage, vm).unwrap();
    stage.host.advance(Duration::from_secs(280)).unwrap();
    assert!(checkpoint(&stage, vm).is_err());
    let resync = Replication {
        mode: 2,
        state: 10,
        health: 2,
        applying_log: false,
    };
    stage.host.advance(Duration::from_secs(30)).unwrap();
    stage.host.set_replication(vm, resync).unwrap();
    assert!(checkpoint(&stage, vm).is_err());
}

#[test]
fn replication_is_paused_and_resumed_through_wmi_and_tells_its_times() {
    let stage = Stage::new(Profile::Server2022);
    let vm = replica(&stage);
    stage.host.advance(Duration::from_secs(650)).unwrap();
    let session = SimSession::new(stage.host.clone()).unwrap();
    let relationship = || {
        let wql = "SELECT * FROM Msvm_ReplicationRelationship";
        session.query_all(VIRTUALIZATION, wql).unwrap().remove(0)
    };
    let found = relationship();
    let (came, applied) = (
        found.time("LastReplicationTime"),
        found.time("LastApplyTime"),
    );
    let lag = applied.unwrap().duration_since(came.unwrap());
    assert_eq!(lag.as_secs(), 20);
    let wql = format!(
        "SELECT * FROM Msvm_ComputerSystem WHERE Name = '{}'",
        vm.to_string().to_uppercase()
    );
    let system = session.query_all(VIRTUALIZATION, &wql).unwrap().remove(0);
    let change = |state: u16| {
        let parameters = [("RequestedState", Value::from(state))];
        let method = "RequestReplicationStateChangeEx";
        let path = system.path.clone().unwrap();
        session
            .invoke(&path, method, &parameters)
            .unwrap()
            .return_value
    };
    assert_eq!(change(7), 0);
    assert_eq!(relationship().number::<u16>("ReplicationState"), Some(7));
    let ledger = stage.host.ledger().unwrap();
    assert_eq!(ledger.of_kind(LedgerKind::PausedReplication).count(), 1);
    stage.host.advance(Duration::from_secs(3000)).unwrap();
    checkpoint(&stage, vm).unwrap();
    assert_eq!(relationship().time("LastReplicationTime"), came);
    assert_eq!(change(3), 0);
    assert!(checkpoint(&stage, vm).is_err());
    assert_eq!(change(9), 32775);
    let events = stage.events();
    assert!(events.ends_with(&["replication-paused", "replication-resumed"]));
}
