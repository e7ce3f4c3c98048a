//! Why a disk is read in full.

use serde::{Deserialize, Serialize};

/// Why a disk is read in full although only what changed could have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FullReason {
    /// The VM has no point yet.
    FirstBackup,
    /// The VM has points, but none with this disk.
    NewDisk,
    /// Another disk is attached where this one was.
    DiskReplaced,
    /// The disk has another size.
    DiskResized,
    /// The host does not know the tracking id any more.
    IdUnknown,
    /// The host crashed and lost what it had tracked, or the disk was written while it was off.
    HostCrashed,
    /// A checkpoint was applied.
    CheckpointApplied,
    /// The VM was restored or imported.
    VmRestored,
    /// The disk's files were moved.
    StorageMigrated,
    /// A VHD, or a disk of another format without tracking.
    OldDiskFormat,
    /// The VM's configuration version is below 8.
    OldConfigurationVersion,
    /// The cluster has nodes older than Windows Server 2016.
    MixedCluster,
    /// The reference point that keeps the tracking id is gone.
    ReferencePointGone,
    /// The last run could not make a reference point.
    NoReferencePoint,
    /// Tracking was not asked for, or this sort of host has none.
    NotTracked,
    /// Asking for the changes failed.
    QueryFailed,
    /// What the host called unchanged had changed.
    TrackingWrong,
}

impl FullReason {
    /// Returns the reason as restore points and programs name it. It never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::FirstBackup => "first-backup",
            Self::NewDisk => "new-disk",
            Self::DiskReplaced => "disk-replaced",
            Self::DiskResized => "disk-resized",
            Self::IdUnknown => "id-unknown",
            Self::HostCrashed => "host-crashed",
            Self::CheckpointApplied => "checkpoint-applied",
            Self::VmRestored => "vm-restored",
            Self::StorageMigrated => "storage-migrated",
            Self::OldDiskFormat => "old-disk-format",
            Self::OldConfigurationVersion => "old-configuration-version",
            Self::MixedCluster => "mixed-cluster",
            Self::ReferencePointGone => "reference-point-gone",
            Self::NoReferencePoint => "no-reference-point",
            Self::NotTracked => "not-tracked",
            Self::QueryFailed => "query-failed",
            Self::TrackingWrong => "tracking-wrong",
        }
    }

    /// Returns the reason as a part of a sentence.
    pub fn text(self) -> &'static str {
        match self {
            Self::FirstBackup => "first backup of this VM",
            Self::NewDisk => "the disk is new",
            Self::DiskReplaced => "another disk is attached in this place",
            Self::DiskResized => "the disk was resized",
            Self::IdUnknown => "the host does not know the tracking id any more",
            Self::HostCrashed => "the host lost its tracking, by a crash or an offline change",
            Self::CheckpointApplied => {
                "a checkpoint was applied, or may have been before it was deleted"
            }
            Self::VmRestored => "the VM was restored or imported",
            Self::StorageMigrated => "the disk was moved by storage migration",
            Self::OldDiskFormat => "the disk is no VHDX, and only those are tracked",
            Self::OldConfigurationVersion => "the VM's configuration version is below 8.0",
            Self::MixedCluster => "the cluster has nodes older than Windows Server 2016",
            Self::ReferencePointGone => "the reference point of the last backup is gone",
            Self::NoReferencePoint => "the last backup could not leave a reference point",
            Self::NotTracked => "read without tracking",
            Self::QueryFailed => "the host could not tell what changed",
            Self::TrackingWrong => "the host called ranges unchanged that had changed",
        }
    }
}
