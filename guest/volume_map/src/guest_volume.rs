//! A volume of a guest, and where it comes from.

use std::fmt;
use std::sync::Arc;

use block_io::BlockDevice;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Content, Obstacle, Role, Scheme};

/// All that a VM's disks hold.
#[derive(Debug, Clone)]
pub struct GuestVolumes {
    /// The disks, in the order in which they were given.
    pub disks: Vec<GuestDisk>,
    /// The volumes: those of partition tables first, then those that are made of them.
    pub volumes: Vec<GuestVolume>,
}

/// A disk, as its table has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestDisk {
    /// How it is divided.
    pub scheme: Scheme,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// In which sectors its table counts, in bytes.
    pub sector_bytes: u64,
    /// The signature of its master boot record.
    pub signature: Option<u32>,
    /// The GUID of its GPT.
    pub guid: Option<Uuid>,
    /// What a person should know: a damaged table, an unknown disk's first bytes, what could not be
    /// read.
    pub notes: Vec<String>,
}

/// A volume.
#[derive(Clone)]
pub struct GuestVolume {
    /// Its name in paths: the number of its partition over all disks, or a name such as `vg-root`. It
    /// has no slash, colon or control character, and no other volume of the VM has it.
    pub name: String,
    /// Where it comes from.
    pub origin: Origin,
    /// What Windows' registry refers to it by, where it can.
    pub windows_id: Option<WindowsId>,
    /// What the table says that it is for; [`Role::Data`] for what no table names.
    pub role: Role,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// What its first bytes say that it is.
    pub content: Content,
    /// The file system's label; empty where it has none, or only its reader can tell (NTFS).
    pub label: String,
    /// The file system's id as Linux writes it into `/etc/fstab`; empty where it has none.
    pub uuid: String,
    /// What is made of it: an array, a volume group, a disk group, its own partitions. Then it has no
    /// files of its own.
    pub used_by: Vec<String>,
    /// Its bytes, where they can be had, also where nobody reads the files in them.
    pub device: Option<Arc<dyn BlockDevice>>,
    /// Why its files cannot be had.
    pub obstacle: Option<Obstacle>,
    /// What it is encrypted with, where it was opened; then all the rest is said of what is in it.
    pub encryption: Option<Content>,
}

/// Opens an encrypted volume, whose `device` is what is encrypted. `None` where nobody has a key.
pub type Open<'a> = dyn FnMut(&GuestVolume) -> Option<Arc<dyn BlockDevice>> + 'a;

/// Where a volume comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A whole disk without a table.
    Disk {
        /// Which of the disks that were given, from 0.
        disk: usize,
    },
    /// A partition.
    Partition {
        /// Which of the disks that were given, from 0.
        disk: usize,
        /// Its number in the table, as Linux counts.
        number: u32,
        /// Where it begins, in bytes.
        offset: u64,
        /// Its name in the GPT.
        name: String,
        /// Its own GUID in the GPT.
        guid: Option<Uuid>,
    },
    /// A logical volume of LVM2.
    Lvm {
        /// Its volume group.
        group: String,
        /// Its name.
        volume: String,
    },
    /// An array of Linux md.
    Md {
        /// Its name, or what its members call it.
        array: String,
        /// Its level: `raid1`.
        level: String,
    },
    /// A volume of Windows' dynamic disks.
    Ldm {
        /// Its disk group.
        group: String,
        /// Its name.
        volume: String,
        /// What it is made as: `simple`, `spanned`, `striped`, `mirrored`, `RAID-5`.
        layout: String,
        /// The drive letter that its makers had in mind (`E:`); the guest may have given it another.
        drive_hint: String,
    },
    /// A partition of an array or a logical volume.
    Inner {
        /// The volume that has the table.
        volume: String,
        /// Its number in the table.
        number: u32,
        /// Where it begins there, in bytes.
        offset: u64,
        /// Its name in the GPT.
        name: String,
        /// Its own GUID in the GPT.
        guid: Option<Uuid>,
    },
}

/// What `MountedDevices` in Windows' registry refers to a volume by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WindowsId {
    /// A partition of a master boot record: 12 bytes there.
    Mbr {
        /// The disk's signature.
        signature: u32,
        /// Where the partition begins, in bytes.
        offset: u64,
    },
    /// A partition of a GPT, or a volume of dynamic disks: `DMIO:ID:` and the GUID there.
    Guid(Uuid),
}

impl GuestVolumes {
    /// Finds a volume by its name.
    pub fn find(&self, name: &str) -> Option<&GuestVolume> {
        self.volumes.iter().find(|volume| volume.name == name)
    }

    /// Finds the volume that a value of `MountedDevices` refers to.
    pub fn of_windows_id(&self, id: WindowsId) -> Option<&GuestVolume> {
        let mut volumes = self.volumes.iter();
        volumes.find(|volume| volume.windows_id == Some(id))
    }
}

impl WindowsId {
    /// Reads a value of `MountedDevices`; `None` for what names no volume of a disk.
    pub fn parse(value: &[u8]) -> Option<Self> {
        if let Some(guid) = value.strip_prefix(b"DMIO:ID:") {
            let guid = <[u8; 16]>::try_from(guid).ok()?;
            return Some(Self::Guid(Uuid::from_bytes_le(guid)));
        }
        let (signature, offset) = value.split_first_chunk::<4>()?;
        Some(Self::Mbr {
            signature: u32::from_le_bytes(*signature),
            offset: u64::from_le_bytes(<[u8; 8]>::try_from(offset).ok()?),
        })
    }
}

impl fmt::Debug for GuestVolume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuestVolume")
            .field("name", &self.name)
            .field("origin", &self.origin)
            .field("windows_id", &self.windows_id)
            .field("role", &self.role)
            .field("size_bytes", &self.size_bytes)
            .field("content", &self.content)
            .field("label", &self.label)
            .field("uuid", &self.uuid)
            .field("used_by", &self.used_by)
            .field("device", &self.device.is_some())
            .field("obstacle", &self.obstacle)
            .field("encryption", &self.encryption)
            .finish()
    }
}
