//! The file allocation table.

use super::boot_sector::{BootSector, Width};
use crate::FileError;
use crate::volume::Volume;

/// What the table says of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    Free,
    /// The cluster that follows in the file.
    Next(u32),
    /// The last cluster of a file, a bad one, or nothing that makes sense.
    Last,
}

/// Returns what the table has at a place, as it is stored.
fn stored(volume: &Volume, boot: &BootSector, cluster: u32) -> Result<u32, FileError> {
    let cluster_offset = u64::from(cluster);
    let mut bytes = [0; 4];
    let (at, len) = match boot.width {
        Width::Fat12 => (cluster_offset + cluster_offset / 2, 2),
        Width::Fat16 => (cluster_offset * 2, 2),
        Width::Fat32 => (cluster_offset * 4, 4),
    };
    let (used, _) = bytes.split_at_mut(len);
    volume.read(boot.table_offset + at, used)?;
    let number = u32::from_le_bytes(bytes);
    Ok(match boot.width {
        Width::Fat12 if cluster % 2 == 1 => number >> 4,
        Width::Fat12 => number & 0xFFF,
        Width::Fat16 => number,
        Width::Fat32 => number & 0x0FFF_FFFF,
    })
}

pub(super) fn entry(volume: &Volume, boot: &BootSector, cluster: u32) -> Result<Entry, FileError> {
    Ok(match stored(volume, boot, cluster)? {
        0 => Entry::Free,
        next if boot.area.has(next) => Entry::Next(next),
        _ => Entry::Last,
    })
}

/// Says whether the volume was let go cleanly, where the table has a place for it.
pub(super) fn is_clean(volume: &Volume, boot: &BootSector) -> Result<bool, FileError> {
    Ok(match boot.width {
        Width::Fat12 => true,
        Width::Fat16 => stored(volume, boot, 1)? & 0x8000 != 0,
        Width::Fat32 => stored(volume, boot, 1)? & 0x0800_0000 != 0,
    })
}
