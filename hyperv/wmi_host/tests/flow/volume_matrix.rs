//! Every sort of backup through volume snapshots with a fault at every call and step: whatever
//! happens, the next run finds the host, its files and the VM's power as they were.
//!
//! As [`crate::matrix`]: a seeded sample by default, all with `LIFEBOAT_SLOW_TESTS=1`, and
//! `LIFEBOAT_SCENARIO=text` plays those that a failure named.

use std::fmt;

use hyperv_host::{BackupMode, BackupRequest, HostError, HypervHost as _, SavedState, VmEntry};
use hyperv_sim::{
    DiskKind, DiskSpec, Effect, Fault, FaultPoint, Guest, Ledger, PowerState, Profile, TraceKind,
    VSS_POINTS, VmSpec,
};
use uuid::Uuid;
use wmi_host::{WmiHost, fix_residue};

use crate::run::{Steps, request};
use crate::scenarios::play_all;
use crate::stage::{DISK_BYTES, Stage};

/// Scenarios that run by default.
const SAMPLE: usize = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Windows,
    Linux,
    NoServices,
    NoScsi,
    Off,
    Saved,
    Paused,
    PassThrough,
    Checkpoints,
    ForeignCheckpoint,
    /// The host refuses recovery checkpoints, and the VM may be saved.
    Refused,
}

const KINDS: [Kind; 11] = [
    Kind::Windows,
    Kind::Linux,
    Kind::NoServices,
    Kind::NoScsi,
    Kind::Off,
    Kind::Saved,
    Kind::Paused,
    Kind::PassThrough,
    Kind::Checkpoints,
    Kind::ForeignCheckpoint,
    Kind::Refused,
];

const PROFILES: [Profile; 6] = [
    Profile::Server2012,
    Profile::Server2012R2,
    Profile::Server2016,
    Profile::Server2019,
    Profile::Server2022,
    Profile::Server2025,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Base {
    profile: Profile,
    mode: BackupMode,
    kind: Kind,
    partially: bool,
}

#[derive(Debug, Clone)]
struct Scenario {
    base: Base,
    fault: Fault,
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Base {
            profile,
            mode,
            kind,
            partially,
        } = self.base;
        let partially = if partially { " partially" } else { "" };
        write!(f, "{profile} {mode:?} {kind:?}{partially}: {}", self.fault)
    }
}

struct Prepared {
    stage: Stage,
    vm: Uuid,
    request: BackupRequest,
    before: Ledger,
}

impl Base {
    /// Whether such a host has such a VM, and it would be read from volume snapshots.
    fn is_possible(self) -> bool {
        let modern = self.profile.has_recovery_checkpoints();
        let through_writer = self.mode == BackupMode::AllCheckpoints || !modern;
        match self.kind {
            Kind::Refused => modern && self.mode == BackupMode::Standard,
            Kind::NoScsi => self.profile <= Profile::Server2012R2,
            Kind::ForeignCheckpoint => modern && through_writer,
            _ => through_writer,
        }
    }

    fn prepare(self) -> Prepared {
        let stage = Stage::new(self.profile);
        let mut spec = VmSpec::new("vm").with_disk(DiskSpec::empty(DISK_BYTES / 4));
        match self.kind {
            Kind::Linux => spec = spec.with_guest(Guest::Linux),
            Kind::NoServices => spec = spec.with_guest(Guest::None),
            Kind::NoScsi => {
                spec = spec.with_generation(1);
                spec.scsi_controllers = 0;
            }
            Kind::PassThrough => {
                spec = spec.with_disk(DiskSpec::empty(DISK_BYTES).of_kind(DiskKind::PassThrough));
            }
            _ => {}
        }
        let vm = stage.add(&spec);
        match self.kind {
            Kind::Off => stage.sim.stop(vm).unwrap(),
            Kind::Saved => stage.sim.save(vm).unwrap(),
            Kind::Paused => stage.sim.pause(vm).unwrap(),
            Kind::Checkpoints => {
                stage.sim.checkpoint(vm, "of people").unwrap();
                stage.write(vm, 2);
            }
            Kind::ForeignCheckpoint => {
                let name = "vm - of others";
                stage.sim.plant_foreign_checkpoint(vm, name).unwrap();
            }
            _ => {}
        }
        let partially = self.partially;
        stage
            .sim
            .change_behavior(|behavior| {
                behavior.vss_fails_partially = partially;
                behavior.leaves_auto_recovery_files = true;
            })
            .unwrap();
        let mut request = request("one");
        request.mode = self.mode;
        request.saved_state = SavedState::Allow;
        let before = stage.ledger();
        let prepared = Prepared {
            stage,
            vm,
            request,
            before,
        };
        prepared.refuse_checkpoints(self.kind);
        prepared
    }

    /// Counts the WMI calls of a run in which nothing goes wrong.
    fn calls(self) -> u64 {
        let prepared = self.prepare();
        let entry = prepared.stage.entry(prepared.vm);
        let (session, host) = prepared.stage.connect();
        prepared.run(&host, &entry, &prepared.request).unwrap();
        session.call_count().calls()
    }
}

impl Prepared {
    fn refuse_checkpoints(&self, kind: Kind) {
        if kind == Kind::Refused {
            let fault = "CreateSnapshot code=32768".parse().unwrap();
            self.stage.sim.plan_fault(fault).unwrap();
        }
    }

    fn power(&self) -> PowerState {
        self.stage.sim.vm(self.vm).unwrap().power
    }

    /// Runs as the engine does.
    fn run(
        &self,
        host: &WmiHost,
        entry: &VmEntry,
        request: &BackupRequest,
    ) -> Result<(), HostError> {
        let mut frozen = host.begin_backup(entry, request, None, &Steps::default())?;
        let source = frozen.source();
        let mut bytes = [0; 512];
        for disk in &source.disks {
            // A snapshot may be gone by now: then there is no point.
            let _ = disk.device.read_at(0, &mut bytes);
        }
        match frozen.check_bearable().and_then(|()| frozen.seal()) {
            Ok(_) => {
                frozen.commit();
                Ok(())
            }
            Err(error) => {
                frozen.abandon();
                Err(error)
            }
        }
    }

    /// Each time writers were told to hold still they were told of the end, one way or another.
    fn check_trace(&self) {
        let trace = self.stage.sim.trace().unwrap();
        let mut open = 0_usize;
        for event in &trace {
            match event.kind {
                TraceKind::PrepareForSnapshot => {
                    assert_eq!(open, 0, "a set within a set: {trace:?}");
                    open = 1;
                }
                TraceKind::PostSnapshot | TraceKind::Abort | TraceKind::RequesterDied => open = 0,
                _ => {}
            }
        }
        assert_eq!(open, 0, "writers still hold still: {trace:?}");
    }
}

impl Scenario {
    fn play(&self) {
        let prepared = self.base.prepare();
        let Prepared {
            stage,
            vm,
            before,
            request,
        } = &prepared;
        let power = prepared.power();
        let entry = stage.entry(*vm);
        stage.sim.plan_fault(self.fault.clone()).unwrap();
        let (_, host) = stage.connect();
        let first = prepared.run(&host, &entry, request);
        drop(host);
        stage.sim.clear_faults().unwrap();
        if stage.sim.settle().is_err() || self.fault.effect == Effect::MergeHangs {
            stage.sim.spoil_merges(*vm, None).unwrap();
            stage.sim.crash_host(false).unwrap();
            stage.sim.set_power(*vm, power).unwrap();
            stage.sim.settle().unwrap();
        }
        if stage.journal_entries() == 0 {
            // Whoever closed the journal has left nothing.
            assert_eq!(stage.differences(before), [], "{first:?}");
        }
        prepared.refuse_checkpoints(self.base.kind);
        let mut again = request.clone();
        again.run = "two".to_owned();
        let (_, host) = stage.connect();
        let second = prepared.run(&host, &entry, &again);
        second.unwrap_or_else(|error| panic!("after {first:?}: {error}"));
        stage.sim.clear_faults().unwrap();
        let left = fix_residue(&host).unwrap();
        let left: Vec<&str> = left.iter().map(|own| own.finding.id.as_str()).collect();
        let foreign: &[&str] = match self.base.kind {
            Kind::ForeignCheckpoint => &["RESIDUE-CHECKPOINT-FOREIGN"],
            _ => &[],
        };
        assert_eq!(left, foreign, "after {first:?}");
        assert_eq!(stage.differences(before), [], "after {first:?}");
        assert_eq!(prepared.power(), power);
        assert_eq!(stage.journal_entries(), 0);
        prepared.check_trace();
    }
}

/// What goes wrong at a call of VSS, or a step of one.
fn vss_faults() -> Vec<Fault> {
    let codes = [
        0x8004_23F3, // retryable
        0x8004_23F4, // not
        0x8004_2316, // another set is made
        0x8004_231F, // no room
        0x8004_230F, // the provider failed
    ];
    let mut effects: Vec<Effect> = codes.map(Effect::ReturnCode).to_vec();
    effects.extend([
        Effect::WriterFails(0x8004_23F3),
        Effect::WriterFails(0x8004_23F4),
        Effect::ComponentFails(0x8004_23F3),
        Effect::ComponentFails(0x8004_23F4),
        Effect::ConnectionLost,
        Effect::HostDies,
        Effect::RequesterDies,
        Effect::Gone,
        Effect::Slow(300),
    ]);
    let mut faults = Vec::new();
    for point in VSS_POINTS {
        for effect in &effects {
            for after in [false, true] {
                let point = FaultPoint::Vss(point.to_owned());
                let mut fault = Fault::new(point, effect.clone()).nth(1);
                fault.after = after;
                faults.push(fault);
            }
        }
    }
    faults
}

/// What goes wrong at a WMI call of a run.
fn wmi_faults(calls: u64) -> Vec<Fault> {
    let effects = [
        (Effect::ReturnCode(32768), false),
        (Effect::ReturnCode(32775), true),
        (Effect::Gone, false),
        (Effect::ConnectionLost, false),
        (Effect::ConnectionLost, true),
        (Effect::HostDies, false),
        (Effect::HostDies, true),
        (Effect::JobHangs, false),
        (Effect::MergeHangs, false),
    ];
    let mut faults = Vec::new();
    for nth in 1..=calls {
        for (effect, after) in &effects {
            let mut fault = Fault::new(FaultPoint::Any, effect.clone()).nth(nth);
            fault.after = *after;
            faults.push(fault);
        }
    }
    faults
}

fn all() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for kind in KINDS {
        for mode in [BackupMode::Standard, BackupMode::AllCheckpoints] {
            let of = |profile, partially| Base {
                profile,
                mode,
                kind,
                partially,
            };
            let possible: Vec<Base> = PROFILES
                .into_iter()
                .map(|profile| of(profile, false))
                .filter(|base| base.is_possible())
                .collect();
            // Hosts of one sort make the same calls, which are counted once for each.
            let mut counted: Vec<(bool, bool, u64)> = Vec::new();
            for base in possible {
                let profile = base.profile;
                let sort = (
                    profile <= Profile::Server2012,
                    profile.has_recovery_checkpoints(),
                );
                let known = counted.iter().find(|own| (own.0, own.1) == sort);
                let calls = known.map_or_else(|| base.calls(), |own| own.2);
                counted.push((sort.0, sort.1, calls));
                let faults = vss_faults().into_iter().chain(wmi_faults(calls));
                scenarios.extend(faults.map(|fault| Scenario { base, fault }));
                let partial = vss_faults().into_iter().filter(|fault| {
                    matches!(fault.effect, Effect::ComponentFails(_)) && !fault.after
                });
                let base = of(profile, true);
                scenarios.extend(partial.map(|fault| Scenario { base, fault }));
            }
        }
    }
    scenarios
}

#[test]
fn whatever_goes_wrong_host_and_power_end_as_they_were() {
    play_all(all(), SAMPLE, |_, _| true, Scenario::play);
}
