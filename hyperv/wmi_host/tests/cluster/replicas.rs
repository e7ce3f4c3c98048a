//! Replicas: what can be reached, what is waited for, what is paused and resumed.

use hyperv_host::{BackupMode, Consistency, HostErrorKind, HypervHost as _};
use hyperv_sim::{PowerState, Replication};
use uuid::Uuid;

use crate::run::{Silent, back_up, finish, request};
use crate::stage::{Stage, entry, ids, list};

const PRIMARY: Replication = Replication {
    mode: 1,
    state: 3,
    health: 1,
    applying_log: false,
};
const REPLICA: Replication = Replication {
    mode: 2,
    state: 3,
    health: 1,
    applying_log: false,
};

/// Makes the two sides of a replication: the replica does not run.
fn pair(stage: &Stage) -> (Uuid, Uuid) {
    let primary = stage.add("HV1", "vm");
    let replica = stage.add("HV2", "vm replica");
    stage.sim.take_offline(replica).unwrap();
    set(stage, primary, PRIMARY);
    set(stage, replica, REPLICA);
    (primary, replica)
}

fn set(stage: &Stage, vm: Uuid, replication: Replication) {
    stage.host_of(vm).set_replication(vm, replication).unwrap();
}

fn state(stage: &Stage, vm: Uuid) -> u16 {
    stage.host_of(vm).vm(vm).unwrap().replication.state
}

#[test]
fn a_primary_is_as_consistent_as_any_vm_and_a_replica_crash_consistent() {
    let stage = Stage::new(2);
    let (primary, replica) = pair(&stage);
    let host = stage.connect();
    let one = back_up(
        &stage,
        &host,
        primary,
        &request("1", BackupMode::Tracked),
        None,
    )
    .unwrap();
    assert_eq!(one.consistency.level, Consistency::Application);
    let other = back_up(
        &stage,
        &host,
        replica,
        &request("2", BackupMode::Tracked),
        None,
    )
    .unwrap();
    assert_eq!(other.consistency.level, Consistency::Crash);
    assert!(
        other.consistency.reason.contains("replica"),
        "{:?}",
        other.consistency
    );
}

#[test]
fn a_replica_that_applies_changes_is_waited_for_and_fails_alone() {
    let stage = Stage::new(2);
    let (primary, replica) = pair(&stage);
    let applying = Replication {
        applying_log: true,
        ..REPLICA
    };
    set(&stage, replica, applying);
    let host = stage.connect();
    let Err(error) = back_up(
        &stage,
        &host,
        replica,
        &request("1", BackupMode::Tracked),
        None,
    ) else {
        panic!("a replica that applies changes was backed up");
    };
    assert_eq!(error.kind(), HostErrorKind::Busy, "{error}");
    back_up(
        &stage,
        &host,
        primary,
        &request("2", BackupMode::Tracked),
        None,
    )
    .unwrap();
    assert_eq!(stage.journal_entries(), 0);
}

#[test]
fn a_replica_in_a_state_that_its_host_refuses_is_waited_for() {
    let stage = Stage::new(2);
    let (_, replica) = pair(&stage);
    for (number, health, words) in [
        (10, 1, "resynchronized"),
        (3, 3, "critical"),
        (2, 1, "initial"),
    ] {
        let wrong = Replication {
            state: number,
            health,
            ..REPLICA
        };
        set(&stage, replica, wrong);
        let host = stage.connect();
        let result = back_up(
            &stage,
            &host,
            replica,
            &request("1", BackupMode::Tracked),
            None,
        );
        let Err(error) = result else {
            panic!("state {number} was backed up");
        };
        assert_eq!(error.kind(), HostErrorKind::Busy, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn replication_is_paused_for_the_snapshot_and_resumed() {
    let stage = Stage::new(2);
    let (primary, replica) = pair(&stage);
    let applying = Replication {
        applying_log: true,
        ..REPLICA
    };
    set(&stage, replica, applying);
    let before = stage.ledger();
    for vm in [primary, replica] {
        let mut request = request("run", BackupMode::Tracked);
        request.pause_replication = true;
        let host = stage.connect();
        let entry = entry(&list(&host), vm);
        let frozen = host.begin_backup(&entry, &request, None, &Silent).unwrap();
        assert_eq!(state(&stage, vm), 3, "it is resumed once the VM is frozen");
        finish(&stage, vm, frozen).unwrap();
        assert!(stage.was_paused(vm));
    }
    assert_eq!(stage.journal_entries(), 0);
    assert_eq!(stage.differences(&before), []);
}

#[test]
fn a_replication_that_a_person_paused_stays_paused() {
    let stage = Stage::new(2);
    let (primary, _) = pair(&stage);
    set(
        &stage,
        primary,
        Replication {
            state: 7,
            ..PRIMARY
        },
    );
    let mut request = request("run", BackupMode::Tracked);
    request.pause_replication = true;
    back_up(&stage, &stage.connect(), primary, &request, None).unwrap();
    assert_eq!(state(&stage, primary), 7);
}

/// At every call of the run its host dies; doctor resumes what was paused.
#[test]
fn replication_is_resumed_whenever_the_run_dies() {
    use hyperv_sim::{Effect, Fault, FaultPoint};
    let (mut played, mut left_paused) = (0, 0);
    for nth in 1..=60 {
        let stage = Stage::new(2);
        let (_, replica) = pair(&stage);
        let host = stage.connect();
        let entry = entry(&list(&host), replica);
        let mut request = request("dead", BackupMode::Standard);
        request.pause_replication = true;
        let sim = stage.host_of(replica);
        // Whoever asks learns nothing any more, which is what a dead program learns.
        let fault = Fault::new(FaultPoint::Any, Effect::HostDies)
            .nth(nth)
            .afterwards();
        sim.plan_fault(fault).unwrap();
        let begun = host.begin_backup(&entry, &request, None, &Silent);
        let ended = begun.and_then(|frozen| finish(&stage, replica, frozen));
        sim.clear_faults().unwrap();
        stage.sim.settle().unwrap();
        played += 1;
        left_paused += u32::from(state(&stage, replica) == 7);
        let left = stage.connect().fix_residue().unwrap();
        let left: Vec<_> = left.iter().map(|own| own.finding.id.as_str()).collect();
        assert_eq!(state(&stage, replica), 3, "call {nth}");
        // A host whose answer was lost may still pause it: that is owed until it cannot be any more.
        let left: Vec<_> = if left.contains(&"RESIDUE-REPLICATION") {
            stage
                .sim
                .advance(std::time::Duration::from_secs(1860))
                .unwrap();
            let left = stage.connect().fix_residue().unwrap();
            left.iter().map(|own| own.finding.id.clone()).collect()
        } else {
            left.into_iter().map(str::to_owned).collect()
        };
        assert_eq!(
            stage.host_of(replica).vm(replica).unwrap().power,
            PowerState::Saved
        );
        assert!(
            !left.iter().any(|id| id == "RESIDUE-REPLICATION"),
            "call {nth}: {left:?}"
        );
        if ended.is_ok() && nth > 40 {
            break;
        }
    }
    println!("{played} deaths, {left_paused} of them with the replication paused");
    assert!(left_paused > 0);
}

#[test]
fn a_pause_that_comes_about_after_its_answer_was_lost_is_resumed() {
    use hyperv_sim::{Effect, Fault, FaultPoint};
    let stage = Stage::new(2);
    let (primary, _) = pair(&stage);
    let host = stage.connect();
    let entry = entry(&list(&host), primary);
    let mut request = request("run", BackupMode::Standard);
    request.pause_replication = true;
    let method = FaultPoint::Method("RequestReplicationStateChangeEx".to_owned());
    let sim = stage.host_of(primary);
    sim.plan_fault(Fault::new(method, Effect::ConnectionLost).nth(1))
        .unwrap();
    let frozen = host.begin_backup(&entry, &request, None, &Silent).unwrap();
    let point = finish(&stage, primary, frozen).unwrap();
    assert!(
        point.ids().contains(&"VM-REPLICATION-NOT-PAUSED"),
        "{point:?}"
    );
    assert!(point.ids().contains(&"RESIDUE-REPLICATION"), "{point:?}");
    // The host gets round to it.
    set(
        &stage,
        primary,
        Replication {
            state: 7,
            ..PRIMARY
        },
    );
    let left = stage.connect().fix_residue().unwrap();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(state(&stage, primary), 3);
    assert_eq!(stage.journal_entries(), 0);
}

#[test]
fn a_plan_tells_of_times_only_when_they_were_seen() {
    let stage = Stage::new(2);
    let (_, replica) = pair(&stage);
    let host = stage.connect();
    let listed = entry(&list(&host), replica);
    let plan = |run: &str| {
        host.plan(&listed, &request(run, BackupMode::Tracked), None)
            .unwrap()
    };
    assert!(!ids(&plan("1").findings).contains(&"VM-REPLICA-TIMES"));
    for run in ["1", "2", "3"] {
        back_up(
            &stage,
            &host,
            replica,
            &request(run, BackupMode::Standard),
            None,
        )
        .unwrap();
    }
    assert!(
        !ids(&plan("2").findings).contains(&"VM-REPLICA-TIMES"),
        "it was never busy"
    );
    stage
        .sim
        .advance(std::time::Duration::from_secs(7200))
        .unwrap();
    set(
        &stage,
        replica,
        Replication {
            applying_log: true,
            ..REPLICA
        },
    );
    let busy = back_up(
        &stage,
        &host,
        replica,
        &request("4", BackupMode::Standard),
        None,
    );
    assert!(busy.is_err());
    set(&stage, replica, REPLICA);
    let told = plan("5").findings;
    let times = told
        .iter()
        .find(|own| own.id == "VM-REPLICA-TIMES")
        .unwrap();
    assert!(times.text.contains("(3 times)"), "{}", times.text);
}
