//! A checkpoint.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vm_config::DiskSlot;

use crate::{Consistency, DiskKind, PowerState};

/// What sort of checkpoint it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SnapshotKind {
    /// A backup's: `Microsoft:Hyper-V:Snapshot:Recovery`.
    Recovery,
    /// A person's, with memory where the VM ran: `Microsoft:Hyper-V:Snapshot:Realized`.
    Standard,
    /// A person's, without memory, made with the guest's help: also `…:Realized`.
    Production,
}

impl SnapshotKind {
    /// Returns `VirtualSystemType` (contract 1.2).
    pub fn system_type(self) -> &'static str {
        match self {
            Self::Recovery => "Microsoft:Hyper-V:Snapshot:Recovery",
            Self::Standard | Self::Production => "Microsoft:Hyper-V:Snapshot:Realized",
        }
    }
}

/// A checkpoint of a VM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its own GUID: `ConfigurationID`.
    pub id: Uuid,
    /// `ElementName`.
    pub name: String,
    /// What sort of checkpoint it is.
    pub kind: SnapshotKind,
    /// `CreationTime`.
    pub created: Timestamp,
    /// How consistent it is.
    pub consistency: Consistency,
    /// The checkpoint that it derives from.
    pub parent: Option<Uuid>,
    /// Its disks, frozen. Those that cannot be frozen are not among them.
    pub disks: Vec<SnapshotDisk>,
    /// What the VM did when it was made.
    pub power: PowerState,
    /// It holds the VM's memory: `IsSaved`.
    pub has_memory: bool,
    /// Made by Hyper-V itself at the VM's start.
    pub is_automatic: bool,
    /// `ConfigurationFile`, below [`crate::Vm::snapshot_root`]: `Snapshots\<GUID>.vmcx`.
    pub config_file: String,
}

/// A disk of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotDisk {
    /// Where it was attached.
    pub slot: DiskSlot,
    /// What sort of disk it is.
    pub kind: DiskKind,
    /// The frozen file, as the host names it.
    pub path: String,
    /// Size of the virtual disk in bytes.
    pub size_bytes: u64,
    /// `VirtualDiskId`.
    pub disk_id: Uuid,
    /// The tracking id of the frozen state (`MostRecentId`); `None`: not tracked.
    pub tracking_id: Option<String>,
}
