//! What a new VM is to be.

use std::path::PathBuf;
use std::sync::Arc;

use block_io::BlockDevice;
use vm_config::DiskSlot;

use crate::{DiskKind, Guest};

/// What a new VM is to be.
#[derive(Clone)]
pub struct VmSpec {
    /// Its name.
    pub name: String,
    /// 1 or 2.
    pub generation: u32,
    /// Configuration version; `None`: the host's own.
    pub version: Option<String>,
    /// Notes.
    pub notes: String,
    /// What runs inside.
    pub guest: Guest,
    /// Its disks, in the order of slots unless they name one.
    pub disks: Vec<DiskSpec>,
    /// It has a virtual TPM.
    pub has_tpm: bool,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// A role of the failover cluster.
    pub is_clustered: bool,
    /// The folder of its files, as the host names it; `None`: `C:\Hyper-V\<name>`.
    pub folder: Option<String>,
    /// It runs from the start.
    pub running: bool,
    /// SCSI controllers; at least as many as the disks need. Generation 1 may have none.
    pub scsi_controllers: u32,
}

impl VmSpec {
    /// Describes a running Windows VM of generation 2 without disks.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            generation: 2,
            version: None,
            notes: String::new(),
            guest: Guest::Windows,
            disks: Vec::new(),
            has_tpm: false,
            memory_mib: 2048,
            is_clustered: false,
            folder: None,
            running: true,
            scsi_controllers: 1,
        }
    }

    /// Adds a disk.
    #[must_use]
    pub fn with_disk(mut self, disk: DiskSpec) -> Self {
        self.disks.push(disk);
        self
    }

    /// Says what runs inside.
    #[must_use]
    pub fn with_guest(mut self, guest: Guest) -> Self {
        self.guest = guest;
        self
    }

    /// Says the generation.
    #[must_use]
    pub fn with_generation(mut self, generation: u32) -> Self {
        self.generation = generation;
        self
    }
}

/// What a new disk is to be.
#[derive(Clone)]
pub struct DiskSpec {
    /// What is on it.
    pub content: DiskContent,
    /// What sort of disk.
    pub kind: DiskKind,
    /// Where it is attached; `None`: the next free slot (generation 1: IDE first).
    pub slot: Option<DiskSlot>,
    /// Name of the file, without folder; `None`: the VM's name and the disk's number.
    pub file_name: Option<String>,
}

impl DiskSpec {
    /// Describes a VHDX with this content.
    pub fn new(content: DiskContent) -> Self {
        Self {
            content,
            kind: DiskKind::Vhdx,
            slot: None,
            file_name: None,
        }
    }

    /// Describes an empty VHDX.
    pub fn empty(size_bytes: u64) -> Self {
        Self::new(DiskContent::Empty { size_bytes })
    }

    /// Describes a VHDX with the content of an image.
    pub fn image(path: impl Into<PathBuf>) -> Self {
        Self::new(DiskContent::Image(path.into()))
    }

    /// Says what sort of disk.
    #[must_use]
    pub fn of_kind(mut self, kind: DiskKind) -> Self {
        self.kind = kind;
        self
    }

    /// Says where it is attached.
    #[must_use]
    pub fn at(mut self, slot: DiskSlot) -> Self {
        self.slot = Some(slot);
        self
    }
}

/// What is on a new disk.
#[derive(Clone)]
pub enum DiskContent {
    /// Nothing.
    Empty {
        /// Size in bytes.
        size_bytes: u64,
    },
    /// What is in an image of this machine, in any format that can be opened; it is copied.
    Image(PathBuf),
    /// What this device holds; it is copied.
    Device(Arc<dyn BlockDevice>),
    /// What a file of the host holds: a differencing disk of it, as for VMs cloned from one image.
    ChildOf(String),
}
