//! What a job does at its end.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Consistency, SnapshotSettings};

/// What a job does at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum JobWork {
    /// Keeps the VM busy.
    Nothing,
    /// Makes a checkpoint.
    CreateSnapshot {
        /// Its GUID.
        id: Uuid,
        /// What it is to be.
        settings: SnapshotSettings,
    },
    /// Removes a checkpoint, with all below it where `tree`.
    DestroySnapshot {
        /// Its GUID.
        id: Uuid,
        /// Also those that derive from it.
        tree: bool,
    },
    /// Takes the VM back to a checkpoint.
    ApplySnapshot {
        /// Its GUID.
        id: Uuid,
    },
    /// Makes a reference point of a recovery checkpoint.
    Convert {
        /// The checkpoint's GUID.
        snapshot: Uuid,
        /// The GUID that the reference point gets.
        reference_point: Uuid,
    },
    /// Makes a reference point without a checkpoint.
    CreateReferencePoint {
        /// The GUID that it gets.
        id: Uuid,
        /// What it says of itself.
        consistency: Consistency,
    },
    /// Removes a reference point.
    DestroyReferencePoint {
        /// Its GUID.
        id: Uuid,
    },
    /// Merges all files that no checkpoint needs apart.
    Merge,
    /// Writes configuration and disks of a checkpoint, or of the VM, to a folder.
    Export {
        /// The checkpoint's GUID; `None`: the VM as it is now.
        snapshot: Option<Uuid>,
        /// The folder, as the host names it.
        folder: String,
        /// Disks too, flattened.
        with_disks: bool,
    },
    /// Moves all files to another folder of the host.
    MoveStorage {
        /// The folder, as the host names it.
        folder: String,
    },
}
