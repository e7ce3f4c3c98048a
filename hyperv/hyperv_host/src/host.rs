//! What a host has.

use serde::Serialize;
use vm_config::DiskSlot;

use crate::{HostError, VmSource};

/// A Hyper-V host, real or not.
pub trait HypervHost: Send + Sync {
    /// Returns the name that people know the host by.
    fn name(&self) -> &str;

    /// Lists the VMs, ordered by name, then by identity. Opens no disk for longer than it takes
    /// to tell its size and chain. One VM that cannot be read is a finding on its entry, not an
    /// error of the host.
    fn inventory(&self) -> Result<Inventory, HostError>;

    /// Opens a VM of the inventory for reading. Nothing of it is changed.
    fn open_vm(&self, identity: &str) -> Result<VmSource, HostError>;
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
    /// 1 or 2; `None` without a configuration.
    pub generation: Option<u32>,
    /// Configuration version, such as `9.0`; `None` without a configuration.
    pub version: Option<String>,
    /// The disks, numbered from 0 by controller and slot.
    pub disks: Vec<DiskEntry>,
    /// Number of checkpoints that the VM has.
    pub checkpoints: usize,
    /// What is wrong, or worth knowing. An entry with a `Block` finding cannot be backed up.
    pub findings: Vec<Finding>,
}

/// A disk of a VM.
#[derive(Debug, Clone, Serialize)]
pub struct DiskEntry {
    /// Position among the VM's disks, from 0.
    pub number: u32,
    /// Where it is attached; `None` without a configuration.
    pub slot: Option<DiskSlot>,
    /// Path of the leaf, as this machine sees it.
    pub path: String,
    /// Size of the virtual disk in bytes; `None` where it could not be read.
    pub size_bytes: Option<u64>,
    /// Number of files in the chain, 1 for a disk without checkpoints.
    pub chain_files: usize,
}

/// Something that a check found.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// Stable name, such as `VM-DISK-MISSING`.
    pub id: String,
    /// How bad it is.
    pub severity: Severity,
    /// What was found, naming the file and the offset where there is one.
    pub text: String,
    /// What to do.
    pub cure: Option<String>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// The backup works, but not as one would wish.
    Warn,
    /// The backup cannot work.
    Block,
}
