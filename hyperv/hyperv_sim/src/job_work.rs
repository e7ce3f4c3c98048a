//! What a job does at its end.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::define_system::SystemChange;
use crate::device_change::DeviceChange;
use crate::{Consistency, SnapshotSettings, VirtualSwitch};

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
    /// Makes a planned VM of a definition file.
    Import {
        /// The GUID that it gets.
        id: Uuid,
        /// The definition file, as the host names it.
        definition: String,
        /// The folder of the checkpoints' definition files.
        checkpoint_folder: Option<String>,
        /// It has another identity than the file.
        new_identity: bool,
    },
    /// Adds checkpoints to a planned VM.
    ImportCheckpoints {
        /// The folder of their definition files.
        folder: String,
    },
    /// Takes a checkpoint out of a planned VM.
    DropPlannedSnapshot(Uuid),
    /// Looks for what stands in the way of a planned VM.
    Validate,
    /// Makes a VM of a planned one.
    Realize,
    /// Removes a VM; its disks stay.
    DestroySystem,
    /// Removes a planned VM.
    DestroyPlanned,
    /// Makes a VM without disks.
    Define {
        /// 1 or 2.
        generation: u32,
        /// Configuration version; `None`: the host's own.
        version: Option<String>,
        /// Its settings.
        settings: SystemChange,
        /// Its devices.
        devices: Vec<DeviceChange>,
    },
    /// Changes settings of a VM, or of a planned one.
    ModifySystem(SystemChange),
    /// Changes devices of a VM, or of a planned one.
    ChangeDevices(Vec<DeviceChange>),
    /// Makes a virtual switch.
    AddSwitch(VirtualSwitch),
    /// Removes a virtual switch.
    RemoveSwitch(Uuid),
    /// Changes the host's own port at a switch.
    SetHostPort {
        /// The switch.
        switch: Uuid,
        /// The port's VLAN.
        vlan: Option<u16>,
    },
    /// Moves all files to another folder of the host.
    MoveStorage {
        /// The folder, as the host names it.
        folder: String,
    },
}

impl JobWork {
    /// Returns whether it is done to a VM that is there; other work makes one, or needs none.
    pub(crate) fn needs_vm(&self) -> bool {
        !matches!(
            self,
            Self::Import { .. }
                | Self::ImportCheckpoints { .. }
                | Self::DropPlannedSnapshot(_)
                | Self::Validate
                | Self::Realize
                | Self::DestroyPlanned
                | Self::Define { .. }
                | Self::ModifySystem(_)
                | Self::ChangeDevices(_)
                | Self::AddSwitch(_)
                | Self::RemoveSwitch(_)
                | Self::SetHostPort { .. }
        )
    }
}
