//! A VM that moves before, during and after its backup, at every call (requirement X-03).
//!
//! The whole matrix is generated; by default a seeded sample of it runs, with
//! `LIFEBOAT_SLOW_TESTS=1` all of it. Its size is printed. `LIFEBOAT_SCENARIO=text` plays those that
//! a failure named.

use std::fmt;
use std::sync::Arc;

use hyperv_host::{BackupMode, HypervHost as _};

use crate::moving_session::MovePlan;
use crate::run::{Point, Silent, back_up, finish, request};
use crate::scenarios::play_all;
use crate::stage::{Stage, entry, list};

/// Scenarios that run by default.
const SAMPLE: usize = 40;

const NODES: [usize; 3] = [2, 4, 16];
const MODES: [BackupMode; 2] = [BackupMode::Tracked, BackupMode::Standard];
/// Calls after which it moves again: never, or all the time.
const AGAIN: [u64; 2] = [0, 61];

#[derive(Debug, Clone, Copy)]
struct Scenario {
    nodes: usize,
    mode: BackupMode,
    first: u64,
    again: u64,
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            nodes,
            mode,
            first,
            again,
        } = self;
        write!(
            f,
            "{nodes} nodes {mode:?}: before call {first}, again after {again}."
        )
    }
}

impl Scenario {
    /// Plays it; returns the calls of the run that moves are in.
    fn play(self) -> u64 {
        let stage = Stage::new(self.nodes);
        let vm = stage.add("HV1", "vm");
        let neighbor = stage.add("HV2", "neighbor");
        let first = back_up(
            &stage,
            &stage.connect(),
            vm,
            &request("one", self.mode),
            None,
        );
        let first = first.unwrap();
        stage.write(vm, 2);
        let before = stage.ledger();

        let plan = MovePlan::new(&stage.sim, vm, self.first, self.again);
        let host = stage.connect_moving(Some(Arc::clone(&plan)), &[]).unwrap();
        let entry = entry(&list(&host), vm);
        plan.begin();
        let second = request("two", self.mode);
        let frozen = host.begin_backup(&entry, &second, Some(&first.backup), &Silent);
        let second = frozen.and_then(|frozen| finish(&stage, vm, frozen));
        let calls = plan.calls();
        let second = second.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(
            second.ids().contains(&"VM-MOVED"),
            plan.moves() > 0,
            "{second:?}"
        );
        drop(host);

        self.check_end(&stage, &before, vm, neighbor, &second);
        calls
    }

    fn check_end(
        self,
        stage: &Stage,
        before: &hyperv_sim::Ledger,
        vm: uuid::Uuid,
        neighbor: uuid::Uuid,
        second: &Point,
    ) {
        if stage.journal_entries() == 0 {
            assert_eq!(stage.differences(before), []);
        }
        stage.write(vm, 3);
        let host = stage.connect();
        let third = back_up(stage, &host, vm, &request("three", self.mode), Some(second)).unwrap();
        if self.mode == BackupMode::Tracked && second.has_cursor() {
            assert_eq!(third.reason, None, "what changed can still be asked for");
        }
        back_up(stage, &host, neighbor, &request("other", self.mode), None).unwrap();
        let left = host.fix_residue().unwrap();
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(stage.journal_entries(), 0);
        assert_eq!(stage.differences(before), []);
        let own = stage.host_of(vm).vm(vm).unwrap();
        let expected = usize::from(self.mode == BackupMode::Tracked);
        assert_eq!(own.reference_points.len(), expected);
        stage.assert_no_surprises();
    }
}

fn all() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for mode in MODES {
        // The number of nodes makes no difference to the calls of one VM's backup.
        let calls = Scenario {
            nodes: 2,
            mode,
            first: 0,
            again: 0,
        }
        .play();
        for nodes in NODES {
            for again in AGAIN {
                scenarios.extend((1..=calls).map(|first| Scenario {
                    nodes,
                    mode,
                    first,
                    again,
                }));
            }
        }
    }
    scenarios
}

/// Few of the sample are of sixteen nodes, which take longer to make than to use.
fn fits(sample: &[Scenario], drawn: &Scenario) -> bool {
    drawn.nodes < 16 || sample.iter().filter(|own| own.nodes == 16).count() < 4
}

#[test]
fn a_vm_that_moves_at_any_time_is_backed_up_and_nothing_stays_behind() {
    play_all(all(), SAMPLE, fits, |scenario| {
        scenario.play();
    });
}

#[test]
fn a_vm_that_moved_since_it_was_listed_is_backed_up_where_it_is() {
    let stage = Stage::new(4);
    let vm = stage.add("HV1", "vm");
    let host = stage.connect();
    let entry = entry(&list(&host), vm);
    stage.sim.move_vm(vm, "HV4").unwrap();
    let plan = host
        .plan(&entry, &request("run", BackupMode::Tracked), None)
        .unwrap();
    assert!(plan.block().is_none(), "{plan:?}");
    let frozen = host
        .begin_backup(&entry, &request("run", BackupMode::Tracked), None, &Silent)
        .unwrap();
    let point = finish(&stage, vm, frozen).unwrap();
    assert_eq!(point.node.as_deref(), Some("HV4"));
    let moved = point
        .findings
        .iter()
        .find(|own| own.id == "VM-MOVED")
        .unwrap();
    assert!(moved.text.contains("from HV1 to HV4"), "{}", moved.text);
}

#[test]
fn a_vm_that_moves_between_the_runs_set_and_its_turn_is_read_from_the_set() {
    let stage = Stage::new(2);
    let vms = [stage.add("HV1", "one"), stage.add("HV1", "two")];
    let before = stage.ledger();
    let host = stage.connect();
    let mut request = request("run", BackupMode::AllCheckpoints);
    request.snapshot_sets = hyperv_host::SnapshotSets::Shared;
    let listed = list(&host);
    let entries = vms.map(|vm| entry(&listed, vm));
    let run: Vec<_> = entries.iter().map(|own| (own, request.clone())).collect();
    host.announce(&run);
    for (nth, entry) in entries.iter().enumerate() {
        if nth == 1 {
            stage.sim.move_vm(vms[1], "HV2").unwrap();
        }
        let mut frozen = host.begin_backup(entry, &request, None, &Silent).unwrap();
        assert!(!frozen.source().images.is_empty());
        let mut findings = frozen.seal().unwrap().findings;
        findings.extend(frozen.commit());
        let moved = findings.iter().any(|own| own.id == "VM-MOVED");
        assert_eq!(moved, nth == 1, "{findings:?}");
    }
    assert_eq!(stage.differences(&before), []);
    assert_eq!(stage.journal_entries(), 0);
    stage.assert_no_surprises();
}

#[test]
fn a_node_that_goes_away_does_not_end_the_cleanup_of_the_others() {
    use hyperv_sim::{Effect, Fault, FaultPoint};
    let mut told = 0;
    for nth in [1, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36, 39] {
        let stage = Stage::new(3);
        let vm = stage.add("HV3", "vm");
        let before = stage.ledger();
        let host = stage.connect();
        let entry = entry(&list(&host), vm);
        let request = request("dead", BackupMode::Tracked);
        let frozen = host.begin_backup(&entry, &request, None, &Silent).unwrap();
        stage.forget(frozen);
        let host = stage.connect();
        let node = stage.sim.node("HV2").unwrap();
        let fault = Fault::new(FaultPoint::Any, Effect::HostDies).nth(nth);
        node.plan_fault(fault).unwrap();
        let left = host.fix_residue().unwrap();
        node.clear_faults().unwrap();
        told += left
            .iter()
            .filter(|own| own.finding.text.contains("HV2"))
            .count();
        assert_eq!(stage.differences(&before), [], "call {nth}: {left:?}");
        assert_eq!(stage.journal_entries(), 0, "call {nth}");
    }
    assert!(told > 0, "the node was never told of");
}

#[test]
fn what_a_dead_run_left_is_settled_on_the_node_that_has_the_vm_now() {
    let stage = Stage::new(3);
    let vm = stage.add("HV1", "vm");
    let before = stage.ledger();
    let host = stage.connect();
    let entry = entry(&list(&host), vm);
    let request = request("dead", BackupMode::Tracked);
    let frozen = host.begin_backup(&entry, &request, None, &Silent).unwrap();
    // A program that dies runs no destructors, and its locks go with it.
    stage.forget(frozen);
    stage.sim.move_vm(vm, "HV3").unwrap();
    let found = stage.connect().find_residue().unwrap();
    let ids: Vec<&str> = found.iter().map(|own| own.finding.id.as_str()).collect();
    assert_eq!(ids, ["RESIDUE-CHECKPOINT"]);
    let left = stage.connect().fix_residue().unwrap();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(stage.differences(&before), []);
    assert_eq!(stage.journal_entries(), 0);
}
