//! Every sort of restore with a fault at every call: it is done, or the host is as it was, or the
//! journal tells of it and settling takes it away.

use std::fmt;
use std::sync::Arc;

use hyperv_host::{HostError, Identity, ImportOrder, NewVmOrder, RestoreHost as _, RestoredVm};
use hyperv_sim::{Effect, Fault, FaultPoint, Ledger, PowerState, Profile, SimSession};
use uuid::Uuid;
use vm_config::VmConfiguration;
use wmi_host::{WmiHost, find_residue, fix_residue};

use crate::backup::{RESTORED, copy_files, local, plug_in, spec};
use crate::run::Steps;
use crate::scenarios::play_all;
use crate::stage::Stage;

/// Scenarios that run by default.
const SAMPLE: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    NewIdentity,
    OldIdentity,
    Tree,
    Memory,
    Typed,
}

const KINDS: [Kind; 5] = [
    Kind::NewIdentity,
    Kind::OldIdentity,
    Kind::Tree,
    Kind::Memory,
    Kind::Typed,
];

fn effects() -> Vec<(Effect, bool)> {
    let failed = || Effect::JobFails {
        code: 32768,
        text: "it failed".to_owned(),
    };
    vec![
        (Effect::ReturnCode(32768), false),
        (Effect::ReturnCode(32768), true),
        (Effect::ReturnCode(32775), false),
        (Effect::Gone, false),
        (Effect::Gone, true),
        (Effect::ConnectionLost, false),
        (Effect::ConnectionLost, true),
        (Effect::HostDies, false),
        (Effect::HostDies, true),
        (failed(), false),
        (failed(), true),
        (Effect::JobHangs, false),
        (Effect::Conflict, false),
        (Effect::Truncated(0), false),
    ]
}

#[derive(Debug, Clone)]
struct Scenario {
    kind: Kind,
    nth: u64,
    effect: Effect,
    after: bool,
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, nth, effect) = (self.kind, self.nth, &self.effect);
        let after = if self.after { " after" } else { "" };
        write!(f, "{kind:?}: call {nth} {effect:?}{after}")
    }
}

enum Order {
    Import(ImportOrder),
    Typed(NewVmOrder),
}

struct Prepared {
    stage: Stage,
    order: Order,
    before: Ledger,
}

impl Kind {
    fn prepare(self) -> Prepared {
        let stage = Stage::new(Profile::Server2022);
        let vm = stage.add(&spec("web"));
        plug_in(&stage, vm, "Production");
        if self == Kind::Tree {
            stage.sim.checkpoint(vm, "first").unwrap();
            stage.write(vm, 2);
        }
        match self {
            Kind::Memory => stage.sim.save(vm).unwrap(),
            _ => stage.sim.stop(vm).unwrap(),
        }
        let (_, host) = stage.connect();
        let mut order = copy_files(&stage, &host, vm).order;
        match self {
            Kind::OldIdentity => {
                order.identity = Identity::Keep;
                host.unregister(&vm.to_string(), &Steps::default()).unwrap();
            }
            Kind::Tree => order.checkpoint_folder = Some(r"C:\Staging\Snapshots".to_owned()),
            Kind::Memory => order.keep_memory = true,
            Kind::NewIdentity | Kind::Typed => {}
        }
        let order = match self {
            Kind::Typed => Order::Typed(typed(&host, order)),
            _ => Order::Import(order),
        };
        let before = stage.ledger();
        Prepared {
            stage,
            order,
            before,
        }
    }

    /// Counts the calls of a restore in which nothing goes wrong.
    fn calls(self) -> u64 {
        let prepared = self.prepare();
        let (session, host) = prepared.stage.connect();
        prepared.run(&host).unwrap();
        calls_of(&session)
    }
}

fn calls_of(session: &Arc<SimSession>) -> u64 {
    session.call_count().calls()
}

fn typed(host: &WmiHost, order: ImportOrder) -> NewVmOrder {
    let bytes = std::fs::read(local(host, &order.definition)).unwrap();
    NewVmOrder {
        configuration: VmConfiguration::from_bytes("web.vmcx", &bytes).unwrap(),
        name: "web made".to_owned(),
        configuration_folder: RESTORED.to_owned(),
        disks: order.disks,
        adapters: order.adapters,
        run: order.run,
    }
}

impl Prepared {
    fn run(&self, host: &WmiHost) -> Result<RestoredVm, HostError> {
        match &self.order {
            Order::Import(order) => host.import(order, &Steps::default()),
            Order::Typed(order) => host.create(order, &Steps::default()),
        }
    }

    /// The host restarts: what hung is over.
    fn restart(&self) {
        self.stage.sim.crash_host(false).unwrap();
        self.stage.sim.settle().unwrap();
    }

    fn assert_nothing_is_left(&self, error: &HostError) {
        assert_eq!(self.stage.differences(&self.before), [], "{error}");
        assert_eq!(self.stage.sim.planned_vms().unwrap().len(), 0, "{error}");
    }
}

impl Scenario {
    fn play(&self) {
        let prepared = self.kind.prepare();
        let stage = &prepared.stage;
        let mut fault = Fault::new(FaultPoint::Any, self.effect.clone()).nth(self.nth);
        fault.after = self.after;
        stage.sim.plan_fault(fault).unwrap();
        let (_, host) = stage.connect();
        let restored = prepared.run(&host);
        drop(host);
        stage.sim.clear_faults().unwrap();
        if stage.sim.settle().is_err() {
            prepared.restart();
        }
        let (_, host) = stage.connect();
        match restored {
            Ok(vm) => {
                assert_eq!(stage.journal_entries(), 0);
                let vm = stage
                    .sim
                    .vm(Uuid::parse_str(&vm.identity).unwrap())
                    .unwrap();
                let wanted = match self.kind {
                    Kind::Memory => PowerState::Saved,
                    _ => PowerState::Off,
                };
                assert_eq!(vm.power, wanted);
                assert_eq!(stage.sim.planned_vms().unwrap().len(), 0);
                let disks = vm.disks.iter();
                assert!(disks.clone().count() == 2, "{:?}", vm.disks);
                assert!(disks.clone().all(|own| own.path.starts_with(RESTORED)));
            }
            Err(error) => {
                if stage.journal_entries() == 0 {
                    // Whoever closed the journal has left nothing.
                    prepared.assert_nothing_is_left(&error);
                } else {
                    assert!(!find_residue(&host).unwrap().is_empty());
                }
                let left = host.settle_restores().unwrap();
                let left: Vec<&str> = left
                    .iter()
                    .map(|own| own.id.as_str())
                    .filter(|id| *id != "VM-CLEANED")
                    .collect();
                if left == ["RESIDUE-RESTORED-VM"] {
                    // The VM is made, and waits for its restore.
                    let vms = stage.sim.vms().unwrap().len();
                    prepared.run(&host).unwrap();
                    assert_eq!(stage.sim.vms().unwrap().len(), vms, "{error}");
                    assert_eq!(stage.journal_entries(), 0);
                    return;
                }
                assert!(left.is_empty(), "{left:?} after {error}");
                prepared.assert_nothing_is_left(&error);
                assert_eq!(stage.journal_entries(), 0);
                let fixed = fix_residue(&host).unwrap();
                assert!(fixed.is_empty(), "{fixed:?}");
                // And once more.
                prepared.run(&host).unwrap();
            }
        }
    }
}

fn all() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for kind in KINDS {
        for nth in 1..=kind.calls() {
            let scenarios_of = |(effect, after)| Scenario {
                kind,
                nth,
                effect,
                after,
            };
            scenarios.extend(effects().into_iter().map(scenarios_of));
        }
    }
    scenarios
}

#[test]
fn whatever_goes_wrong_it_is_restored_or_nothing_is_left() {
    play_all(all(), SAMPLE, |_, _| true, Scenario::play);
}
