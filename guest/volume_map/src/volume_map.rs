//! The map of a disk.

use block_io::{BlockDevice, DiskError};
use serde::{Deserialize, Serialize};

use crate::content::{self, Content};
use crate::partition_table::PartitionTable;
use crate::reader::Reader;

/// Most partitions that are looked into.
pub const PARTITIONS_MAX: usize = 128;
/// Most reads of one disk: the tables, the chain of an extended partition, and two for each partition.
pub const READS_MAX: usize = 16 + 3 * PARTITIONS_MAX;

/// What lies where on a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeMap {
    /// How it is divided.
    pub scheme: Scheme,
    /// Its partitions, in the order of the table; without a table the whole disk, if it is a volume.
    pub partitions: Vec<Partition>,
}

/// How a disk is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// A master boot record.
    Mbr,
    /// A GUID partition table.
    Gpt,
    /// No table: the disk is one volume.
    None,
    /// Nothing that is known, or an empty disk.
    Unknown,
}

/// A part of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Where it begins, in bytes.
    pub offset: u64,
    /// How long it is, in bytes; never beyond the disk's end.
    pub len_bytes: u64,
    /// What the table says that it is for.
    pub role: Role,
    /// What its first bytes say that it is.
    pub content: Content,
}

/// What the table says that a partition is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Data of a system, or a system.
    Data,
    /// An EFI system partition: always FAT.
    EfiSystem,
    /// A part of a dynamic disk of Windows: its database, or its data.
    Ldm,
    /// A part of Storage Spaces.
    StorageSpaces,
    /// Set aside, or for the system's own use.
    Reserved,
}

impl VolumeMap {
    /// Returns whether Windows' disk management made the disk dynamic.
    pub fn is_ldm(&self) -> bool {
        self.partitions
            .iter()
            .any(|partition| partition.role == Role::Ldm)
    }
}

/// Looks what lies where on a disk.
///
/// # Errors
///
/// Those of the device alone.
pub fn volume_map(disk: &dyn BlockDevice) -> Result<VolumeMap, DiskError> {
    let reader = Reader::new(disk);
    let table = PartitionTable::read(&reader)?;
    let scheme = table.scheme;
    if matches!(scheme, Scheme::None | Scheme::Unknown) {
        return whole_disk(&reader);
    }
    let listed = table.entries.into_iter();
    let mut partitions: Vec<Partition> = listed.map(|listed| listed.partition).collect();
    partitions.truncate(PARTITIONS_MAX);
    partitions.retain_mut(|partition| reader.fit(partition));
    for partition in &mut partitions {
        partition.content = content(&reader, partition)?;
    }
    Ok(VolumeMap { scheme, partitions })
}

/// Says what a volume is. Btrfs alone leaves the first 64 KiB to others.
fn content(reader: &Reader<'_>, volume: &Partition) -> Result<Content, DiskError> {
    let content = content::of(&reader.read(volume.offset, 4096)?);
    if content != Content::Unknown || volume.len_bytes < content::BTRFS_MAGIC_OFFSET + 8 {
        return Ok(content);
    }
    let place = volume.offset.saturating_add(content::BTRFS_MAGIC_OFFSET);
    Ok(if reader.read(place, 8)? == content::BTRFS_MAGIC {
        Content::Btrfs
    } else {
        Content::Unknown
    })
}

fn whole_disk(reader: &Reader<'_>) -> Result<VolumeMap, DiskError> {
    let mut whole = Partition {
        offset: 0,
        len_bytes: reader.size_bytes(),
        role: Role::Data,
        content: Content::Unknown,
    };
    whole.content = content(reader, &whole)?;
    let (scheme, partitions) = match whole.content {
        Content::Unknown => (Scheme::Unknown, Vec::new()),
        _ => (Scheme::None, vec![whole]),
    };
    Ok(VolumeMap { scheme, partitions })
}
