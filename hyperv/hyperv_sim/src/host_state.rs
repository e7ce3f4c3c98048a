//! Everything that the host knows, in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::guid::{seeded_guid, seeded_number};
use crate::virtual_switch::usual_adapters;
use crate::{
    Behavior, Job, MountedImage, PhysicalAdapter, PlannedVm, Profile, SimError, SimErrorKind,
    SimOptions, VirtualSwitch, Vm, Volume,
};

/// When the clock of a new host begins: 2026-01-05 08:00 UTC, a Monday.
const BEGINNING: i64 = 1_767_600_000;
/// Size of a new host's `C:`: 1 TiB.
const DEFAULT_CAPACITY_BYTES: u64 = 1 << 40;

/// What the host knows besides its VMs: `host.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HostFacts {
    /// Which Windows Server it is.
    pub(crate) profile: Profile,
    /// `Msvm_ComputerSystem.Name` of the host.
    pub(crate) name: String,
    /// What GUIDs come from.
    pub(crate) seed: u64,
    /// When Windows started.
    pub(crate) booted: Timestamp,
    /// How it behaves.
    pub(crate) behavior: Behavior,
    /// Its volumes.
    pub(crate) volumes: Vec<Volume>,
    /// Images that are attached to the host itself (`Msvm_MountedStorageImage`).
    pub(crate) mounted: Vec<MountedImage>,
    /// VMs that live on another node now.
    pub(crate) away: Vec<Vm>,
    /// Jobs of VMs that are gone or planned, and of the host.
    pub(crate) orphaned_jobs: Vec<Job>,
    /// The failover cluster, where the host is in one.
    pub(crate) cluster: Option<crate::Cluster>,
    /// Backups through VSS, and snapshots of volumes.
    #[serde(default)]
    pub(crate) vss: crate::vss::VssState,
    /// The virtual switches that somebody made; see [`HostState::switches`].
    #[serde(default)]
    pub(crate) switches: Vec<VirtualSwitch>,
    /// The physical network adapters.
    #[serde(default = "usual_adapters")]
    pub(crate) physical_adapters: Vec<PhysicalAdapter>,
    /// VMs that are planned: imported, and not realised yet.
    #[serde(default)]
    pub(crate) planned: BTreeMap<Uuid, PlannedVm>,
    /// Faults that are to come; the WMI face alone knows what is in here.
    pub(crate) faults: serde_json::Value,
}

/// Everything that the host knows. Operations are methods in files of their own.
pub(crate) struct HostState {
    /// The folder of the simulated host.
    pub(crate) dir: PathBuf,
    /// What it knows besides its VMs. Change it through [`HostState::facts_mut`].
    pub(crate) facts: HostFacts,
    /// Its VMs. Change one through [`HostState::vm_mut`].
    pub(crate) vms: BTreeMap<Uuid, Vm>,
    /// What the cluster knows that the host is a node of, while something is done.
    pub(crate) membership: Option<Box<crate::cluster::Membership>>,
    /// The time of the host.
    pub(crate) now: Timestamp,
    /// How many GUIDs and numbers were drawn.
    pub(crate) drawn: u64,
    /// What is not on disk yet.
    pub(crate) unsaved: Unsaved,
    /// Files of this machine that go once what was done is saved: a program that dies before can
    /// do it again.
    pub(crate) doomed_files: Vec<PathBuf>,
    /// Folders of this machine that go with all below them, once what was done is saved.
    pub(crate) doomed_folders: Vec<PathBuf>,
    /// When the next thing comes due; `None`: to be found out.
    pub(crate) next_due: Option<Timestamp>,
}

/// What is not on disk yet.
#[derive(Debug, Default)]
pub(crate) struct Unsaved {
    pub(crate) facts: bool,
    pub(crate) vms: BTreeSet<Uuid>,
    /// What happened, in order.
    pub(crate) trace: Vec<crate::TraceEvent>,
}

impl HostState {
    /// Makes a new host.
    pub(crate) fn new(dir: PathBuf, options: SimOptions) -> Self {
        let now = Timestamp::from_second(BEGINNING).unwrap_or(Timestamp::UNIX_EPOCH);
        let facts = HostFacts {
            profile: options.profile,
            name: options.host_name,
            seed: options.seed,
            booted: now,
            behavior: Behavior::default(),
            volumes: Vec::new(),
            mounted: Vec::new(),
            orphaned_jobs: Vec::new(),
            away: Vec::new(),
            cluster: None,
            vss: crate::vss::VssState::default(),
            switches: Vec::new(),
            physical_adapters: usual_adapters(),
            planned: BTreeMap::new(),
            faults: serde_json::Value::Null,
        };
        let mut state = Self::loaded(dir, facts);
        state.now = now;
        let id = state.new_guid();
        state.facts_mut().volumes.push(Volume {
            id,
            drive: "C:\\".to_owned(),
            label: "System".to_owned(),
            capacity_bytes: DEFAULT_CAPACITY_BYTES,
            file_system: None,
            shadow_storage: None,
            growth_bytes_per_second: 0,
            consumed_bytes: 0,
        });
        state
    }

    /// Takes what was read from a folder; VMs, clock and numbers are added by the reader.
    pub(crate) fn loaded(dir: PathBuf, facts: HostFacts) -> Self {
        Self {
            dir,
            facts,
            vms: BTreeMap::new(),
            membership: None,
            now: Timestamp::UNIX_EPOCH,
            drawn: 0,
            unsaved: Unsaved::default(),
            doomed_files: Vec::new(),
            doomed_folders: Vec::new(),
            next_due: None,
        }
    }

    /// Returns a VM.
    pub(crate) fn vm(&self, id: Uuid) -> Result<&Vm, SimError> {
        self.vms.get(&id).ok_or_else(|| no_vm(id))
    }

    /// Returns a VM to be changed; it will be saved.
    pub(crate) fn vm_mut(&mut self, id: Uuid) -> Result<&mut Vm, SimError> {
        let vm = self.vms.get_mut(&id).ok_or_else(|| no_vm(id))?;
        self.unsaved.vms.insert(id);
        self.next_due = None;
        Ok(vm)
    }

    /// Returns what the host knows besides its VMs, to be changed; it will be saved.
    pub(crate) fn facts_mut(&mut self) -> &mut HostFacts {
        self.unsaved.facts = true;
        &mut self.facts
    }

    /// Draws a new GUID.
    pub(crate) fn new_guid(&mut self) -> Uuid {
        self.drawn += 1;
        seeded_guid(self.facts.seed, self.drawn)
    }

    /// Draws a new number.
    pub(crate) fn new_number(&mut self) -> u64 {
        self.drawn += 1;
        seeded_number(self.facts.seed, self.drawn)
    }

    /// Lists all jobs, of all VMs.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = &Job> {
        let of_vms = self.vms.values().flat_map(|vm| &vm.jobs);
        of_vms.chain(&self.facts.orphaned_jobs)
    }

    /// Returns a job.
    pub(crate) fn job(&self, id: Uuid) -> Result<&Job, SimError> {
        self.jobs()
            .find(|job| job.id == id)
            .ok_or_else(|| SimError::new(SimErrorKind::NotFound, format!("there is no job {id}")))
    }

    /// Returns the VM that a checkpoint belongs to.
    pub(crate) fn vm_of_snapshot(&self, id: Uuid) -> Result<&Vm, SimError> {
        let found = self.vms.values().find(|vm| vm.snapshot(id).is_some());
        found.ok_or_else(|| {
            SimError::new(
                SimErrorKind::NotFound,
                format!("there is no checkpoint {id}"),
            )
        })
    }

    /// Returns the VM that a reference point belongs to.
    pub(crate) fn vm_of_reference_point(&self, id: Uuid) -> Result<&Vm, SimError> {
        let holds = |vm: &&Vm| vm.reference_points.iter().any(|point| point.id == id);
        self.vms.values().find(holds).ok_or_else(|| {
            SimError::new(
                SimErrorKind::NotFound,
                format!("there is no reference point {id}"),
            )
        })
    }

    /// Returns the file of this machine that holds a file of the host. The host's names are not
    /// told apart by case, and lead nowhere but below the folder of their drive.
    pub(crate) fn local_path(&self, host_path: &str) -> Result<PathBuf, SimError> {
        crate::drive::local_path(&self.dir, host_path)
    }

    /// Moves the clock, and does what has come due meanwhile.
    pub(crate) fn pass(&mut self, duration: Duration) -> Result<(), SimError> {
        crate::clock::pass(self, duration)?;
        self.do_plans()
    }

    /// Returns the folder of the simulated host.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }
}

fn no_vm(id: Uuid) -> SimError {
    SimError::new(
        SimErrorKind::NotFound,
        format!("there is no virtual machine {id}"),
    )
}
