//! What a backup of a VM would do.

use serde::Serialize;
use vm_config::DiskSlot;

use crate::{Finding, FullReason, Reached};

/// How a VM is frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum BackupMethod {
    /// A recovery checkpoint, made and removed by the run.
    RecoveryCheckpoint,
    /// The host's VSS writer makes a checkpoint with the guest's help; volumes are snapped, and the
    /// checkpoint is gone before anything is read ("online", "child VM snapshot").
    VssOnline,
    /// As before, without the guest's help ("offline", since Windows Server 2012 R2).
    VssOffline,
    /// The VM is saved while volumes are snapped, then brought back to what it was doing.
    SavedState,
    /// Nothing is frozen: the files are read as they lie, and watched for changes.
    Files,
}

impl BackupMethod {
    /// Returns the method as restore points and programs name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::RecoveryCheckpoint => "recovery-checkpoint",
            Self::VssOnline => "vss-online",
            Self::VssOffline => "vss-offline",
            Self::SavedState => "saved-state",
            Self::Files => "files",
        }
    }
}

/// What a backup of a VM would do. Nothing was touched to learn it.
#[derive(Debug, Clone, Serialize)]
pub struct VmPlan {
    /// How it is frozen.
    pub method: BackupMethod,
    /// The consistency to expect, and why.
    pub consistency: Reached,
    /// What the guest notices, such as `none`.
    pub interruption: String,
    /// How long the guest would not run, in seconds, where that can be told; 0: not at all.
    pub interruption_seconds: Option<u64>,
    /// The disks that would be read.
    pub disks: Vec<DiskPlan>,
    /// The disks that would not be in the point.
    pub left_out: Vec<LeftOut>,
    /// What stands in the way, or is worth knowing. With a `Block` there will be no point.
    pub findings: Vec<Finding>,
}

impl VmPlan {
    /// Returns the bytes that would be read, as far as they can be told.
    pub fn estimated_bytes(&self) -> u64 {
        self.disks.iter().map(|disk| disk.estimated_bytes).sum()
    }

    /// Returns what stands in the way.
    pub fn block(&self) -> Option<&Finding> {
        self.findings
            .iter()
            .find(|finding| finding.severity == crate::Severity::Block)
    }
}

/// What would be done with a disk.
#[derive(Debug, Clone, Serialize)]
pub struct DiskPlan {
    /// Position among the VM's disks, from 0.
    pub number: u32,
    /// Path of the leaf, as the host names it.
    pub path: String,
    /// Why all of it would be read; `None`: only what changed.
    pub full: Option<FullReason>,
    /// Bytes that would be read, as far as they can be told before.
    pub estimated_bytes: u64,
}

/// A disk that is not in the point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Where it is attached.
    pub slot: Option<DiskSlot>,
    /// Its file or physical disk, as the host names it.
    pub path: String,
    /// Why it is not in the point: a stable word such as `pass-through`.
    pub reason: String,
}
