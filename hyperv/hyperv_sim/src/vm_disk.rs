//! A VM's disk, and the files that it is made of.

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vm_config::{ControllerKind, DiskSlot};

use crate::guid::guid_text;

/// Device GUID of both IDE controllers (contract 1.3).
pub(crate) const IDE_CONTROLLER: &str = "83F8638B-8DCA-4152-9EDA-2CA8B33039B4";

/// What sort of disk it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskKind {
    /// `.vhdx`
    Vhdx,
    /// `.vhd`
    Vhd,
    /// A physical disk of the host: no file.
    PassThrough,
    /// `.vhdx` with `PersistentReservationsSupported`, shared with another VM as 2012 R2 did it.
    SharedVhdx,
    /// `.vhds`: a VHD set.
    VhdSet,
}

impl DiskKind {
    /// Returns whether a checkpoint of one VM can hold it (contract 2.1, 7).
    pub fn is_snapshottable(self) -> bool {
        matches!(self, Self::Vhdx | Self::Vhd)
    }

    /// Returns `PersistentReservationsSupported`.
    pub fn is_shared(self) -> bool {
        matches!(self, Self::SharedVhdx | Self::VhdSet)
    }

    /// Returns the extension of a checkpoint's file.
    pub(crate) fn leaf_extension(self) -> &'static str {
        match self {
            Self::Vhd => "avhd",
            _ => "avhdx",
        }
    }
}

/// A VM's disk as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmDisk {
    /// Where it is attached.
    pub slot: DiskSlot,
    /// What sort of disk it is.
    pub kind: DiskKind,
    /// The file that the VM writes to, as the host names it: `HostResource[0]`. Empty for a
    /// pass-through disk.
    pub path: String,
    /// Size of the virtual disk in bytes.
    pub size_bytes: u64,
    /// `VirtualDiskId`: the page 83 id of a VHDX, the unique id of a VHD.
    pub disk_id: Uuid,
    /// Number of the host's physical disk, for a pass-through disk.
    pub physical_number: Option<u32>,
}

/// A file of a VM's disks. Files form trees: checkpoints freeze nodes, the VM writes to a leaf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskFile {
    /// Path of the parent, as the host names it. `None`: it is a base, or its parent belongs to
    /// nobody here, such as the image that several VMs were cloned from.
    pub parent: Option<String>,
    /// A parent that is not the VM's own: it is never merged or removed.
    pub foreign_parent: Option<String>,
}

/// Returns what follows the owner's GUID in the `InstanceID` of a drive or disk:
/// `<controller GUID>\<controller>\<slot>` (contract 1.3). A SCSI controller is a device of its
/// own, so its number is 0.
pub(crate) fn attachment(slot: DiskSlot, scsi_controllers: &[Uuid]) -> String {
    let index = usize::try_from(slot.controller).unwrap_or(usize::MAX);
    match (slot.kind, scsi_controllers.get(index)) {
        (ControllerKind::Scsi, Some(id)) => format!("{}\\0\\{}", guid_text(*id), slot.slot),
        _ => format!("{IDE_CONTROLLER}\\{}\\{}", slot.controller, slot.slot),
    }
}
