//! What a host has.

use serde::{Deserialize, Serialize};
use vm_config::DiskSlot;

use crate::{
    BackupRequest, Finding, FrozenVm, HostError, HostSettings, PreviousBackup, RestoreHost,
    StepObserver, VmPlan,
};

/// A Hyper-V host, real or not.
pub trait HypervHost: Send + Sync {
    /// Returns the name that people know the host by.
    fn name(&self) -> &str;

    /// Lists the VMs, ordered by name, then by identity. Opens no disk for longer than it takes
    /// to tell its size and chain. One VM that cannot be read is a finding on its entry, not an
    /// error of the host.
    fn inventory(&self) -> Result<Inventory, HostError>;

    /// Says what a backup of a VM would do. Nothing is touched.
    fn plan(
        &self,
        vm: &VmEntry,
        request: &BackupRequest,
        previous: Option<&PreviousBackup>,
    ) -> Result<VmPlan, HostError>;

    /// Hears which VMs a run is about to hold still, with what is asked for each, so that what
    /// serves several of them is made once. Nothing is touched yet. What was made for a run that was
    /// announced before, and was not used, is ended: so an empty announcement ends all of it.
    fn announce(&self, run: &[(&VmEntry, BackupRequest)]) {
        let _ = run;
    }

    /// Hears that a run has ended: no VM of it begins any more. What was made for VMs that never
    /// began is ended. Returns what went wrong with that.
    fn end_run(&self, run: &str) -> Vec<Finding> {
        let _ = run;
        self.announce(&[]);
        Vec::new()
    }

    /// Holds a VM still for a backup.
    ///
    /// # Errors
    ///
    /// `Blocked` where a finding stands in the way, `Busy` where another operation does and the
    /// retries are used up, `ConsistencyMissed` where the request does not accept the level.
    /// Nothing stays behind on the host after an error, or it is in the journal.
    fn begin_backup(
        &self,
        vm: &VmEntry,
        request: &BackupRequest,
        previous: Option<&PreviousBackup>,
        observer: &dyn StepObserver,
    ) -> Result<Box<dyn FrozenVm>, HostError>;

    /// Reads what the host itself is set to: its switches, folders and the like. Nothing is touched.
    /// `None` where there is no such host, only its files.
    fn host_settings(&self) -> Result<Option<HostSettings>, HostError> {
        Ok(None)
    }

    /// Returns the host as one that VMs are restored to; `None` where it is none.
    fn as_restore_host(&self) -> Option<&dyn RestoreHost> {
        None
    }
}

/// What a host has.
#[derive(Debug, Clone, Serialize)]
pub struct Inventory {
    /// The VMs, ordered by name, then by identity.
    pub vms: Vec<VmEntry>,
    /// What is wrong with the host itself, or with files that belong to no VM.
    pub findings: Vec<Finding>,
}

/// A VM of a host.
#[derive(Debug, Clone, Serialize)]
pub struct VmEntry {
    /// Stays the same as long as it is the same VM: its GUID in lower case, or for a disk without
    /// a configuration `file:` and its path below the folder, with `/` between the parts.
    pub identity: String,
    /// The name that people gave it. Need not be unique.
    pub name: String,
    /// Whether it runs, where that is known.
    pub state: Option<PowerState>,
    /// The node of a cluster that it is on; `None` where the host is no cluster.
    pub node: Option<String>,
    /// 1 or 2; `None` without a configuration.
    pub generation: Option<u32>,
    /// Configuration version, such as `9.0`; `None` without a configuration.
    pub version: Option<String>,
    /// The disks, numbered from 0 by controller and slot.
    pub disks: Vec<DiskEntry>,
    /// Number of checkpoints that the VM has; those that a backup made do not count.
    pub checkpoints: usize,
    /// What is wrong, or worth knowing. An entry with a `Block` finding cannot be backed up.
    pub findings: Vec<Finding>,
}

/// What a VM is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PowerState {
    /// It runs.
    Running,
    /// It is off.
    Off,
    /// It is off, and its memory is kept in a file.
    Saved,
    /// It is in memory, and does not run.
    Paused,
    /// It is on its way from one state to another, or the host cannot reach its storage.
    Other,
}

/// A disk of a VM.
#[derive(Debug, Clone, Serialize)]
pub struct DiskEntry {
    /// Position among the VM's disks, from 0.
    pub number: u32,
    /// Where it is attached; `None` without a configuration.
    pub slot: Option<DiskSlot>,
    /// Path of the leaf, as this machine sees it, or as the host names it where this machine
    /// cannot see it.
    pub path: String,
    /// What sort of disk it is.
    pub kind: DiskKind,
    /// Size of the virtual disk in bytes; `None` where it could not be read.
    pub size_bytes: Option<u64>,
    /// Number of files in the chain, 1 for a disk without checkpoints; 0 where it is not known.
    pub chain_files: usize,
}

/// What sort of disk it is to a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DiskKind {
    /// A virtual disk in files.
    Virtual,
    /// A physical disk of the host: no file holds it.
    PassThrough,
    /// A virtual disk that several VMs use, in the manner of Windows Server 2012 R2.
    Shared,
    /// A VHD set: a virtual disk that several VMs use, since Windows Server 2016.
    VhdSet,
}
