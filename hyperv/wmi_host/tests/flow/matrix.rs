//! Every sort of run with a fault at every call: whatever happens, the next run finds the host as
//! it was.
//!
//! The whole matrix is generated; by default a seeded sample of it runs, with
//! `LIFEBOAT_SLOW_TESTS=1` all of it. Its size is printed. `LIFEBOAT_SCENARIO=text` plays those that
//! a failure named.

use std::fmt;

use hyperv_host::{BackupMode, BackupRequest, HostError, HypervHost as _};
use hyperv_sim::{
    DiskKind, DiskSpec, Effect, Fault, FaultPoint, Guest, Ledger, PowerState, Profile, VmSpec,
};
use uuid::Uuid;
use wmi_host::{WmiHost, fix_residue};

use crate::run::{Point, Steps, back_up, note, read, request};
use crate::scenarios::play_all;
use crate::stage::{DISK_BYTES, Stage};

/// Scenarios that run by default.
const SAMPLE: usize = 120;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Windows,
    Linux,
    Generation1,
    Off,
    Saved,
    PassThrough,
    Checkpoints,
    ForeignCheckpoint,
}

const KINDS: [Kind; 8] = [
    Kind::Windows,
    Kind::Linux,
    Kind::Generation1,
    Kind::Off,
    Kind::Saved,
    Kind::PassThrough,
    Kind::Checkpoints,
    Kind::ForeignCheckpoint,
];

const PROFILES: [Profile; 4] = [
    Profile::Server2016,
    Profile::Server2019,
    Profile::Server2022,
    Profile::Server2025,
];

const MODES: [BackupMode; 2] = [BackupMode::Tracked, BackupMode::Standard];

/// What goes wrong, and whether only after the call took place.
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
        (Effect::MergeHangs, false),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Base {
    profile: Profile,
    mode: BackupMode,
    kind: Kind,
}

#[derive(Debug, Clone)]
struct Scenario {
    base: Base,
    nth: u64,
    effect: Effect,
    after: bool,
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Base {
            profile,
            mode,
            kind,
        } = self.base;
        let (nth, effect) = (self.nth, &self.effect);
        let after = if self.after { " after" } else { "" };
        write!(
            f,
            "{profile} {mode:?} {kind:?}: call {nth} {effect:?}{after}"
        )
    }
}

/// A host with a VM that has a point already.
struct Prepared {
    stage: Stage,
    vm: Uuid,
    request: BackupRequest,
    first: Point,
    before: Ledger,
    foreign: Vec<Uuid>,
}

impl Base {
    fn prepare(self) -> Prepared {
        let stage = Stage::new(self.profile);
        let mut spec = VmSpec::new("vm").with_disk(DiskSpec::empty(DISK_BYTES));
        match self.kind {
            Kind::Linux => spec = spec.with_guest(Guest::LinuxWithDaemon),
            Kind::Generation1 => {
                let vhd = DiskSpec::empty(DISK_BYTES).of_kind(DiskKind::Vhd);
                spec = spec.with_generation(1).with_disk(vhd);
            }
            Kind::PassThrough => {
                spec = spec.with_disk(DiskSpec::empty(DISK_BYTES).of_kind(DiskKind::PassThrough));
            }
            _ => spec = spec.with_disk(DiskSpec::empty(DISK_BYTES)),
        }
        let vm = stage.add(&spec);
        match self.kind {
            Kind::Off => stage.sim.stop(vm).unwrap(),
            Kind::Saved => stage.sim.save(vm).unwrap(),
            Kind::Checkpoints => {
                stage.sim.checkpoint(vm, "of people").unwrap();
                stage.write(vm, 2);
            }
            Kind::ForeignCheckpoint => {
                stage
                    .sim
                    .plant_foreign_checkpoint(vm, "vm - of others")
                    .unwrap();
            }
            _ => {}
        }
        let foreign = vec![stage.sim.plant_foreign_reference_point(vm).unwrap()];
        let mut request = request("one");
        request.mode = self.mode;
        let (_, host) = stage.connect();
        let first = back_up(&stage, &host, vm, &request, None).unwrap();
        if self.writes() {
            stage.write(vm, 3);
        }
        let before = stage.ledger();
        request.run = "two".to_owned();
        Prepared {
            stage,
            vm,
            request,
            first,
            before,
            foreign,
        }
    }

    fn writes(self) -> bool {
        !matches!(self.kind, Kind::Off | Kind::Saved)
    }

    /// Counts the calls of a run in which nothing goes wrong.
    fn calls(self) -> u64 {
        let prepared = self.prepare();
        let (session, host) = prepared.stage.connect();
        let entry = prepared.stage.entry(prepared.vm);
        prepared.run(&host, &entry).unwrap();
        session.call_count().calls()
    }
}

impl Prepared {
    /// Runs as the engine does; returns the point where it was published.
    fn run(&self, host: &WmiHost, entry: &hyperv_host::VmEntry) -> Result<Point, HostError> {
        let steps = Steps::default();
        let previous = Some(&self.first.backup);
        let mut frozen = host.begin_backup(entry, &self.request, previous, &steps)?;
        let mut point = read(&self.stage, self.vm, frozen.source(), Some(&self.first));
        match frozen.check_bearable().and_then(|()| frozen.seal()) {
            Ok(sealed) => {
                note(&mut point, sealed);
                point.findings.extend(frozen.commit());
                Ok(point)
            }
            Err(error) => {
                frozen.abandon();
                Err(error)
            }
        }
    }

    /// The host restarts: what hung is over.
    fn restart(&self) {
        let power = self.stage.sim.vm(self.vm).unwrap().power;
        self.stage.sim.spoil_merges(self.vm, None).unwrap();
        self.stage.sim.crash_host(false).unwrap();
        if power == PowerState::Running {
            self.stage.sim.start(self.vm).unwrap();
        }
        self.stage.sim.settle().unwrap();
    }

    fn own_points(&self) -> usize {
        let points = self.stage.reference_points(self.vm);
        for foreign in &self.foreign {
            assert!(
                points.contains(foreign),
                "a foreign reference point is gone"
            );
        }
        points.len() - self.foreign.len()
    }
}

impl Scenario {
    fn play(&self) {
        let prepared = self.base.prepare();
        let Prepared { stage, vm, .. } = &prepared;
        let entry = stage.entry(*vm);
        let mut fault = Fault::new(FaultPoint::Any, self.effect.clone()).nth(self.nth);
        fault.after = self.after;
        stage.sim.plan_fault(fault).unwrap();
        let (_, host) = stage.connect();
        let second = prepared.run(&host, &entry);
        drop(host);
        stage.sim.clear_faults().unwrap();
        if self.effect == Effect::MergeHangs || stage.sim.settle().is_err() {
            prepared.restart();
        }
        let expected = usize::from(self.base.mode == BackupMode::Tracked);
        if stage.journal_entries() == 0 {
            // Whoever closed the journal has left nothing.
            assert_eq!(stage.differences(&prepared.before), [], "{second:?}");
            assert!(prepared.own_points() <= expected);
        }
        let last = second.as_ref().unwrap_or(&prepared.first);
        if self.base.writes() {
            stage.write(*vm, 4);
        }
        let mut request = prepared.request.clone();
        request.run = "three".to_owned();
        let (_, host) = stage.connect();
        let third = back_up(stage, &host, *vm, &request, Some(last));
        let third = third.unwrap_or_else(|error| panic!("after {second:?}: {error}"));
        let left = fix_residue(&host).unwrap();
        let left: Vec<&str> = left.iter().map(|own| own.finding.id.as_str()).collect();
        let foreign: &[&str] = match self.base.kind {
            Kind::ForeignCheckpoint => &["RESIDUE-CHECKPOINT-FOREIGN"],
            _ => &[],
        };
        assert_eq!(left, foreign);
        assert_eq!(stage.differences(&prepared.before), []);
        assert_eq!(prepared.own_points(), expected, "{third:?}");
        assert_eq!(stage.journal_entries(), 0);
    }
}

fn all() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for kind in KINDS {
        for mode in MODES {
            // The versions differ in properties, not in the number of calls, which is counted once.
            let calls = Base {
                profile: Profile::Server2022,
                mode,
                kind,
            }
            .calls();
            for profile in PROFILES {
                let base = Base {
                    profile,
                    mode,
                    kind,
                };
                for nth in 1..=calls {
                    let scenarios_of = |(effect, after)| Scenario {
                        base,
                        nth,
                        effect,
                        after,
                    };
                    scenarios.extend(effects().into_iter().map(scenarios_of));
                }
            }
        }
    }
    scenarios
}

#[test]
fn whatever_goes_wrong_the_host_ends_as_it_was() {
    play_all(all(), SAMPLE, |_, _| true, Scenario::play);
}
