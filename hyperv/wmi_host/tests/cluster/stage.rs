//! A simulated cluster, a model of what its VMs' disks hold, and programs that come and go.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use hyperv_host::{FrozenVm, HostError, HostErrorKind, HypervHost as _, Inventory, VmEntry};
use hyperv_sim::{
    ClusterOptions, DiskSpec, Ledger, LedgerDifference, Profile, SimClock, SimCluster, SimHost,
    SimPaths, SimSession, SimVss, TraceKind, VmSpec,
};
use tempfile::TempDir;
use uuid::Uuid;
use wmi::WmiSession;
use wmi_host::{ClusterHost, NodeConnector, WmiHost, WmiHostOptions};

use crate::moving_session::{MovePlan, MovingSession};

pub(crate) const DISK_BYTES: u64 = 2 << 20;

/// A simulated cluster and a model of what its VMs' disks hold.
pub(crate) struct Stage {
    pub(crate) sim: Arc<SimCluster>,
    folder: TempDir,
    model: RefCell<BTreeMap<(Uuid, usize), Vec<u8>>>,
}

impl Stage {
    /// Makes a cluster of so many nodes: HV1, HV2 and so on.
    pub(crate) fn new(nodes: usize) -> Self {
        Self::of(ClusterOptions::of_nodes(nodes, Profile::Server2022))
    }

    pub(crate) fn of(options: ClusterOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sim = SimCluster::create(&folder.path().join("cluster"), options).unwrap();
        Self {
            sim: Arc::new(sim),
            folder,
            model: RefCell::default(),
        }
    }

    /// Adds a running Windows VM with one disk on the cluster's volume.
    pub(crate) fn add(&self, node: &str, name: &str) -> Uuid {
        let vm = self.sim.add_vm(node, &spec(name)).unwrap();
        self.know(vm)
    }

    /// Adds a VM with one disk.
    pub(crate) fn add_spec(&self, node: &str, spec: &VmSpec) -> Uuid {
        let vm = self.sim.add_vm(node, spec).unwrap();
        self.know(vm)
    }

    /// Adds a VM that is no role of the cluster.
    pub(crate) fn add_alone(&self, node: &str, name: &str) -> Uuid {
        let vm = self.sim.node(node).unwrap().add_vm(&spec(name)).unwrap();
        self.know(vm)
    }

    fn know(&self, vm: Uuid) -> Uuid {
        let size = usize::try_from(DISK_BYTES).unwrap();
        self.model.borrow_mut().insert((vm, 0), vec![0; size]);
        self.write(vm, 1);
        vm
    }

    /// Returns the node that has a VM, whether or not it is a role.
    pub(crate) fn host_of(&self, vm: Uuid) -> Arc<SimHost> {
        let mut nodes = self.sim.nodes();
        let found = nodes.find(|(_, host)| host.vm(vm).is_ok());
        Arc::clone(found.unwrap().1)
    }

    /// Lets the guest write to three places that depend on `seed`.
    pub(crate) fn write(&self, vm: Uuid, seed: u64) {
        let host = self.host_of(vm);
        let mut model = self.model.borrow_mut();
        let content = model.get_mut(&(vm, 0)).unwrap();
        for nth in 0..3 {
            let number = seed * 31 + nth * 7;
            let blocks = content.len() as u64 / 4096;
            let offset = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % blocks * 4096;
            let bytes = vec![u8::try_from(number % 255).unwrap() + 1; 4096];
            host.write(vm, 0, offset, &bytes).unwrap();
            let at = usize::try_from(offset).unwrap();
            content[at..at + 4096].copy_from_slice(&bytes);
        }
    }

    /// Returns what a VM's disk holds now.
    pub(crate) fn content(&self, vm: Uuid) -> Vec<u8> {
        self.model.borrow()[&(vm, 0)].clone()
    }

    /// Starts a program anew, which knows nothing but its journal.
    pub(crate) fn connect(&self) -> ClusterHost {
        self.connect_moving(None, &[]).unwrap()
    }

    /// As [`Stage::connect`]; these nodes let nobody in.
    pub(crate) fn connect_without(&self, closed: &[&str]) -> ClusterHost {
        self.connect_moving(None, closed).unwrap()
    }

    /// As [`Stage::connect`], and a VM moves as planned.
    pub(crate) fn connect_moving(
        &self,
        plan: Option<Arc<MovePlan>>,
        closed: &[&str],
    ) -> Result<ClusterHost, HostError> {
        let closed: Vec<String> = closed.iter().map(|node| (*node).to_owned()).collect();
        let sim = Arc::clone(&self.sim);
        let journal = self.journal();
        let connector: NodeConnector = Box::new(move |node| {
            if closed.iter().any(|own| own == node) {
                let error = HostError::new(HostErrorKind::Denied, "access is denied");
                return Err(error.hint(format!("enrol {node}")));
            }
            Ok(connect_node(
                &sim.node(node).unwrap(),
                plan.clone(),
                journal.clone(),
            ))
        });
        let up = self.sim.facts().unwrap().nodes;
        let up = up
            .iter()
            .find(|node| node.state == hyperv_sim::NodeState::Up);
        let first = connector(&up.unwrap().name)?;
        ClusterHost::connect(first, connector)
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    /// Lets a run die: it runs no destructors, and its entry's lock goes with it.
    pub(crate) fn forget(&self, frozen: Box<dyn FrozenVm>) {
        std::mem::forget(frozen);
        // The operating system would drop the lock with the process: here the file goes.
        for file in std::fs::read_dir(self.journal()).unwrap() {
            let path = file.unwrap().path();
            if path
                .extension()
                .is_some_and(|extension| extension == "lock")
            {
                std::fs::remove_file(path).unwrap();
            }
        }
    }

    /// Returns the number of entries in the journal.
    pub(crate) fn journal_entries(&self) -> usize {
        let Ok(files) = std::fs::read_dir(self.journal()) else {
            return 0;
        };
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".json")).count()
    }

    /// Lets the cluster come to rest and lists what all nodes have.
    pub(crate) fn ledger(&self) -> Ledger {
        self.sim.settle().unwrap();
        self.sim.ledger().unwrap()
    }

    /// Returns what is there that was not, and what is not there any more, but for reference points
    /// and files of tracking.
    pub(crate) fn differences(&self, before: &Ledger) -> Vec<LedgerDifference> {
        Ledger::left_behind(before, &self.ledger())
    }

    /// Returns whether a VM's replication was paused, and resumed as often.
    pub(crate) fn was_paused(&self, vm: Uuid) -> bool {
        let trace = self.host_of(vm).trace().unwrap();
        let count = |kind: TraceKind| {
            let events = trace.iter();
            events
                .filter(|event| event.vm == Some(vm) && event.kind == kind)
                .count()
        };
        let paused = count(TraceKind::ReplicationPaused);
        paused > 0 && paused == count(TraceKind::ReplicationResumed)
    }

    /// Checks that the cluster was never surprised.
    pub(crate) fn assert_no_surprises(&self) {
        assert_eq!(self.sim.surprises().unwrap(), []);
    }
}

fn spec(name: &str) -> VmSpec {
    VmSpec::new(name).with_disk(DiskSpec::empty(DISK_BYTES))
}

/// Connects to one node.
pub(crate) fn connect_node(
    sim: &Arc<SimHost>,
    plan: Option<Arc<MovePlan>>,
    journal: PathBuf,
) -> WmiHost {
    let session: Arc<dyn WmiSession> = Arc::new(SimSession::new(Arc::clone(sim)).unwrap());
    let session = match plan {
        Some(plan) => Arc::new(MovingSession::new(session, plan)),
        None => session,
    };
    connect_through(sim, session, journal)
}

/// Connects to one node through a session of its.
pub(crate) fn connect_through(
    sim: &Arc<SimHost>,
    session: Arc<dyn WmiSession>,
    journal: PathBuf,
) -> WmiHost {
    let options = WmiHostOptions {
        journal: Some(journal),
        ..WmiHostOptions::default()
    };
    let clock = Arc::new(SimClock::new(Arc::clone(sim)));
    let bytes = Arc::new(SimPaths::new(Arc::clone(sim)));
    let host = WmiHost::connect(session, clock, Some(bytes), options).unwrap();
    host.with_vss(Arc::new(SimVss::new(Arc::clone(sim))))
}

/// Returns the entry of a VM.
pub(crate) fn entry(inventory: &Inventory, vm: Uuid) -> VmEntry {
    let mut vms = inventory.vms.iter();
    let found = vms.find(|entry| entry.identity == vm.to_string());
    found.unwrap().clone()
}

/// Lists the VMs.
pub(crate) fn list(host: &ClusterHost) -> Inventory {
    host.inventory().unwrap()
}

/// Returns the ids of findings.
pub(crate) fn ids(findings: &[hyperv_host::Finding]) -> Vec<&str> {
    findings.iter().map(|own| own.id.as_str()).collect()
}
