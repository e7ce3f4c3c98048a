//! What a disk of the point tells of the guest: whether it starts from it, and what it is.

use block_io::{BlockDevice, DiskError};
use repository::{Repository, RestorePoint};
use volume_map::{Content, Role, Scheme, volume_map};

use crate::point_disk::{disk_count, open_disk};

/// Where a master boot record has its four entries, and how long each is.
const ENTRIES_AT: usize = 446;
const ENTRY_BYTES: usize = 16;
/// Disks of a VM that are looked at.
const DISKS_MAX: usize = 64;

/// What the disks of a point tell of its guest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct GuestDisks {
    /// Numbers of the disks that a firmware starts from.
    pub(crate) boot: Vec<u32>,
    /// Such a disk has a volume that Windows may be on: NTFS, or BitLocker, which hides what it is.
    /// Disks that only keep data say nothing of what the guest is.
    pub(crate) may_be_windows: bool,
}

/// Looks at the beginnings of all disks. What cannot be read tells nothing.
pub(crate) fn guest_disks(repository: &Repository, point: &RestorePoint) -> GuestDisks {
    let mut found = GuestDisks::default();
    for number in (0..).take(disk_count(point).unwrap_or(0).min(DISKS_MAX)) {
        let Ok(disk) = open_disk(repository, point, number, None) else {
            continue;
        };
        if let Ok((true, may_be_windows)) = look(&*disk.device) {
            found.boot.push(number);
            found.may_be_windows |= may_be_windows;
        }
    }
    found
}

/// Says whether a firmware starts from the disk: it has an EFI system partition, or a partition of
/// its master boot record is active; and whether Windows may be on it.
fn look(disk: &dyn BlockDevice) -> Result<(bool, bool), DiskError> {
    let map = volume_map(disk)?;
    let mut partitions = map.partitions.iter();
    let has_efi = partitions.any(|partition| partition.role == Role::EfiSystem);
    let windows = [Content::Ntfs, Content::BitLocker];
    let mut partitions = map.partitions.iter();
    let may_be_windows = partitions.any(|partition| windows.contains(&partition.content));
    let mut sector = [0; 512];
    if map.scheme == Scheme::Mbr {
        disk.read_at(0, &mut sector)?;
    }
    let entries = sector.get(ENTRIES_AT..510).unwrap_or_default();
    let mut entries = entries.chunks(ENTRY_BYTES);
    let is_active = entries.any(|entry| entry.first() == Some(&0x80));
    Ok((has_efi || is_active, may_be_windows))
}

#[cfg(test)]
mod tests {
    use block_io::MemoryDisk;

    use super::*;

    #[test]
    fn a_disk_with_an_active_partition_is_one_to_start_from() {
        let mut bytes = vec![0; 4 << 20];
        bytes[510..512].copy_from_slice(&[0x55, 0xAA]);
        // Type 7, from sector 2048, 2048 sectors.
        bytes[446 + 4] = 7;
        bytes[446 + 8..446 + 16].copy_from_slice(&[0, 8, 0, 0, 0, 8, 0, 0]);
        bytes[(1 << 20) + 3..(1 << 20) + 11].copy_from_slice(b"NTFS    ");
        bytes[(1 << 20) + 510..(1 << 20) + 512].copy_from_slice(&[0x55, 0xAA]);
        let disk = MemoryDisk::new(bytes.clone());
        assert_eq!(look(&disk).unwrap(), (false, true));
        bytes[446] = 0x80;
        assert!(look(&MemoryDisk::new(bytes)).unwrap().0);
        let empty = MemoryDisk::new(vec![0; 1 << 20]);
        assert_eq!(look(&empty).unwrap(), (false, false));
    }
}
