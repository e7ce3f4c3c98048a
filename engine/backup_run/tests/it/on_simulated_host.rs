//! Runs over the simulated host: what the whole path does when the host is wrong, full, or large.

use std::sync::Arc;

use backup_run::{BackupOptions, Outcome, RunReport, back_up, plan_backup};
use block_io::{BlockDevice as _, MemoryDisk};
use hyperv_host::{FullReason, HostErrorKind, HypervHost as _};
use hyperv_sim::wsman::{Server, ServerOptions, serve};
use hyperv_sim::{
    DiskContent, DiskSpec, Effect, Fault, FaultPoint, SimClock, SimHost, SimOptions, SimPaths,
    SimSession, SimVss, VmSpec,
};
use repository::Repository;
use tempfile::TempDir;
use wmi::WmiSession;
use wmi::wsman::{WsmanOptions, WsmanSession};
use wmi_host::{WmiHost, WmiHostOptions};

use crate::quiet::Quiet;
use crate::repository_in_folder::repository;

pub(crate) const CHUNK: usize = 65_536;
pub(crate) const DISK_BYTES: usize = 64 * CHUNK;

/// A simulated host, and a repository for it.
pub(crate) struct Stage {
    pub(crate) folder: TempDir,
    pub(crate) sim: Arc<SimHost>,
    pub(crate) session: Arc<SimSession>,
    pub(crate) host: WmiHost,
    pub(crate) repository: Repository,
    pub(crate) options: BackupOptions,
    /// What answers in the host's place where it is reached over the network.
    pub(crate) _server: Option<Server>,
}

/// How a stage's host is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// In this process.
    Near,
    /// Over WS-Man, by HTTP.
    OverWsman,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::of(SimOptions::default(), Asked::Near)
    }

    /// A second host, of another name and with GUIDs of its own.
    pub(crate) fn another() -> Self {
        Self::of(Self::other_options(), Asked::Near)
    }

    pub(crate) fn other_options() -> SimOptions {
        SimOptions {
            host_name: "HV2".to_owned(),
            seed: 2,
            ..SimOptions::default()
        }
    }

    pub(crate) fn of(options: SimOptions, asked: Asked) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sim = SimHost::create(&folder.path().join("host"), options).unwrap();
        let sim = Arc::new(sim);
        let session = Arc::new(SimSession::new(Arc::clone(&sim)).unwrap());
        let (asking, server) = match asked {
            Asked::Near => (Arc::clone(&session) as Arc<dyn WmiSession>, None),
            Asked::OverWsman => {
                let (far, server) = from_afar(&session);
                (far, Some(server))
            }
        };
        let options = WmiHostOptions {
            journal: Some(folder.path().join("journal")),
            ..WmiHostOptions::default()
        };
        let clock = Arc::new(SimClock::new(Arc::clone(&sim)));
        let bytes = Arc::new(SimPaths::new(Arc::clone(&sim)));
        let host = WmiHost::connect(asking, clock, Some(bytes), options).unwrap();
        Self {
            repository: repository(&folder.path().join("repository")),
            host,
            session,
            sim,
            options: BackupOptions::default(),
            folder,
            _server: server,
        }
    }

    /// With the host's volume snapshots, which hold all checkpoints still.
    pub(crate) fn with_vss(self) -> Self {
        let vss = Arc::new(SimVss::new(Arc::clone(&self.sim)));
        Self {
            host: self.host.with_vss(vss),
            ..self
        }
    }

    pub(crate) fn run(&self) -> RunReport {
        let vms = self.host.inventory().unwrap().vms;
        let report = back_up(&self.host, &self.repository, &vms, &self.options, &Quiet).unwrap();
        self.sim.settle().unwrap();
        report
    }

    /// Reads the first disk of a VM's newest point.
    pub(crate) fn newest(&self, vm: uuid::Uuid) -> Vec<u8> {
        let point = self
            .repository
            .points_of(&vm.to_string())
            .unwrap()
            .pop()
            .unwrap();
        let disk = self
            .repository
            .open_stream(point.disks().next().unwrap())
            .unwrap();
        let mut bytes = vec![0; DISK_BYTES];
        disk.read_at(0, &mut bytes).unwrap();
        bytes
    }
}

/// Lets a host answer over HTTP, and asks it there.
pub(crate) fn from_afar(session: &Arc<SimSession>) -> (Arc<dyn WmiSession>, Server) {
    let options = ServerOptions::new("backup", "correct horse");
    let server = serve(Arc::clone(session) as _, options).unwrap();
    let url = format!("winrm://backup@{}", server.local_addr());
    let options = WsmanOptions::new(&url, "correct horse".to_owned().into()).unwrap();
    (Arc::new(WsmanSession::connect(options).unwrap()), server)
}

/// A disk without an empty place, the same for the same seed.
pub(crate) fn full_disk(seed: u8) -> Vec<u8> {
    let chunks = (0..DISK_BYTES / CHUNK).flat_map(|chunk| {
        let value = u8::try_from(chunk % 251).unwrap_or(0) ^ seed ^ 0x80;
        std::iter::repeat_n(value.max(1), CHUNK)
    });
    chunks.collect()
}

pub(crate) fn spec(name: &str, disk: &[u8]) -> VmSpec {
    let content = DiskContent::Device(Arc::new(MemoryDisk::new(disk.to_vec())));
    VmSpec::new(name).with_disk(DiskSpec::new(content))
}

#[test]
fn changed_ranges_and_samples_are_all_that_is_read() {
    let mut stage = Stage::new();
    let mut disk = full_disk(1);
    let vm = stage.sim.add_vm(&spec("SQL01", &disk)).unwrap();
    stage.options.proof.random_chunks = 7;
    stage.options.proof.whole_within_days = 0;
    stage.run();
    // Twenty small writes in three chunks.
    for number in 0..20 {
        let offset = (number % 3) * 10 * CHUNK + number * 600;
        stage.sim.write(vm, 0, offset as u64, &[9; 512]).unwrap();
        disk[offset..offset + 512].fill(9);
    }
    let report = stage.run();
    let done = &report.items[0].disks[0];
    assert_eq!(done.full, None, "{done:?}");
    assert_eq!(done.proved_bytes, 7 * CHUNK as u64);
    assert_eq!(done.statistics.read_bytes, (3 + 7) * CHUNK as u64);
    assert_eq!(stage.newest(vm), disk);
}

#[test]
fn a_planted_lie_is_caught_healed_and_reported() {
    let mut stage = Stage::new();
    let mut disk = full_disk(2);
    let vm = stage.sim.add_vm(&spec("SQL01", &disk)).unwrap();
    stage.run();
    let place = 40 * CHUNK;
    stage.sim.write(vm, 0, place as u64, &[7; 4096]).unwrap();
    disk[place..place + 4096].fill(7);
    stage
        .sim
        .lie(vm, 0, place as u64..(place + CHUNK) as u64)
        .unwrap();
    // Enough samples to prove every chunk; with fewer it is a matter of runs.
    stage.options.proof.random_chunks = 1000;
    let report = stage.run();
    let item = &report.items[0];
    assert_eq!(item.outcome, Outcome::Warning, "{item:?}");
    assert_eq!(item.disks[0].full, Some(FullReason::TrackingWrong));
    assert_eq!(stage.newest(vm), disk);
}

#[test]
fn a_conversion_that_fails_costs_the_tracking_and_not_the_point() {
    let stage = Stage::new();
    let disk = full_disk(3);
    let vm = stage.sim.add_vm(&spec("SQL01", &disk)).unwrap();
    stage.run();
    let point = FaultPoint::Method("ConvertToReferencePoint".to_owned());
    let effect = Effect::JobFails {
        code: 32768,
        text: "it did not work".to_owned(),
    };
    stage
        .sim
        .plan_fault(Fault::new(point, effect).nth(1))
        .unwrap();
    let report = stage.run();
    let item = &report.items[0];
    assert_eq!(item.outcome, Outcome::Warning, "{item:?}");
    assert!(item.point.is_some());
    assert_eq!(stage.newest(vm), disk);
    let next = stage.run();
    let full = next.items[0].disks[0].full;
    assert_eq!(full, Some(FullReason::NoReferencePoint), "{next:?}");
    assert_eq!(stage.run().items[0].disks[0].full, None);
    let snapshots = stage.sim.vm(vm).unwrap().snapshots;
    assert!(snapshots.is_empty(), "{snapshots:?}");
}

#[test]
fn a_volume_that_is_too_full_gets_no_checkpoint() {
    let stage = Stage::new();
    let vm = stage.sim.add_vm(&spec("SQL01", &full_disk(4))).unwrap();
    stage.sim.set_free_bytes("C:\\", 1 << 20).unwrap();
    let report = stage.run();
    let failure = report.items[0].failure.as_ref().unwrap();
    let expected = [Some(HostErrorKind::Blocked), Some(HostErrorKind::NoRoom)];
    assert!(expected.contains(&failure.host), "{failure:?}");
    assert!(stage.sim.vm(vm).unwrap().snapshots.is_empty());
}

#[test]
fn a_large_host_is_listed_planned_and_backed_up_in_a_bounded_number_of_calls() {
    let slow = std::env::var("LIFEBOAT_SLOW_TESTS").is_ok_and(|value| value == "1");
    let count: u64 = if slow { 1000 } else { 60 };
    let stage = Stage::new();
    for number in 0..count {
        let disk = DiskSpec::empty(1 << 20);
        let spec = VmSpec::new(format!("VM{number:04}")).with_disk(disk);
        stage.sim.add_vm(&spec).unwrap();
    }
    stage.session.reset_call_count();
    let vms = stage.host.inventory().unwrap().vms;
    let listing = stage.session.call_count().calls();
    assert_eq!(vms.len() as u64, count);
    plan_backup(&stage.host, Some(&stage.repository), &vms, &stage.options).unwrap();
    let planning = stage.session.call_count().calls();
    assert!(listing <= 25, "{listing} calls list any number of VMs");
    assert!(planning <= 50, "{planning} calls plan any number of VMs");

    stage.session.reset_call_count();
    let report = back_up(&stage.host, &stage.repository, &vms, &stage.options, &Quiet).unwrap();
    assert_eq!(report.outcome, Outcome::Success, "{report:?}");
    let per_vm = stage.session.call_count().calls() / count;
    println!(
        "{count} VMs: {listing} calls to list, {planning} with plans, {per_vm} for each backup"
    );
    assert!(per_vm <= 80, "{per_vm} calls for each VM");
}
