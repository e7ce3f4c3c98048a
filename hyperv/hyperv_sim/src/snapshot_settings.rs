//! What a new checkpoint is to be.

use serde::{Deserialize, Serialize};

use crate::{Consistency, SnapshotKind};

/// `Msvm_VirtualSystemSnapshotSettingData` and `SnapshotType` (contract 2.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotSettings {
    /// What sort of checkpoint.
    pub kind: SnapshotKind,
    /// `ConsistencyLevel`.
    pub consistency: Consistency,
    /// `IgnoreNonSnapshottableDisks`: leave out pass-through disks instead of failing.
    pub ignore_other_disks: bool,
    /// `GuestBackupType` 2: copy, so that the guest's applications do not truncate their logs.
    pub copy_backup: bool,
    /// `ElementName`; `None`: Hyper-V's own, the VM's name and the date.
    pub name: Option<String>,
}

impl SnapshotSettings {
    /// Describes a backup's checkpoint that leaves out what cannot be frozen.
    pub fn recovery(consistency: Consistency) -> Self {
        Self {
            kind: SnapshotKind::Recovery,
            consistency,
            ignore_other_disks: true,
            copy_backup: false,
            name: None,
        }
    }

    /// Describes a person's checkpoint, with memory where the VM runs.
    pub fn standard(name: impl Into<String>) -> Self {
        Self {
            kind: SnapshotKind::Standard,
            consistency: Consistency::Crash,
            ignore_other_disks: true,
            copy_backup: false,
            name: Some(name.into()),
        }
    }
}
