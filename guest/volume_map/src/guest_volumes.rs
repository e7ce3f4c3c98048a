//! From all disks of a VM to all its volumes.

use std::sync::Arc;

use block_io::{BlockDevice, DiskError};

use crate::composed::device_part;
use crate::guest_volume::{GuestDisk, GuestVolume, GuestVolumes, Open, Origin, WindowsId};
use crate::partition_table::{Listed, PartitionTable};
use crate::reader::Reader;
use crate::search::{Made, Search};
use crate::{Obstacle, Role, Scheme, first_sectors, ldm, lvm, md};

/// How often volumes are looked for in what was made of volumes: LVM on md on partitions is two.
const NESTING_MAX: usize = 4;

/// Finds all volumes of a VM. Nothing is an error: what could not be read is an [`Obstacle`] of its
/// volume, or a note of its disk.
///
/// The order of the disks is the caller's; the names of partitions go by it.
pub fn guest_volumes(disks: &[Arc<dyn BlockDevice>]) -> GuestVolumes {
    guest_volumes_opened(disks, &mut |_| None)
}

/// Finds all volumes of a VM, also those inside encrypted volumes that `open` opens: a volume keeps
/// its name, and what is made of it (a volume group, an array) is found as if it were not encrypted.
pub fn guest_volumes_opened<'a>(
    disks: &[Arc<dyn BlockDevice>],
    open: &'a mut Open<'a>,
) -> GuestVolumes {
    let mut search = Search::new(open);
    let disks = disks.iter().enumerate();
    let disks = disks
        .map(|(number, disk)| add_disk(&mut search, number, disk))
        .collect();
    ldm::assemble(&mut search);
    for _ in 0..NESTING_MAX {
        let known = search.len();
        md::assemble(&mut search);
        divide(&mut search, known);
        let with_arrays = search.len();
        lvm::assemble(&mut search);
        divide(&mut search, with_arrays);
        if search.len() == known {
            break;
        }
    }
    GuestVolumes {
        disks,
        volumes: search.into_volumes(),
    }
}

fn add_disk(search: &mut Search<'_>, number: usize, disk: &Arc<dyn BlockDevice>) -> GuestDisk {
    let mut about = GuestDisk {
        scheme: Scheme::Unknown,
        size_bytes: disk.size_bytes(),
        sector_bytes: u64::from(disk.sector_bytes()),
        signature: None,
        guid: None,
        notes: Vec::new(),
    };
    if let Err(error) = look_at_disk(search, number, disk, &mut about) {
        about.notes.push(Obstacle::from(error).what);
    }
    about
}

fn look_at_disk(
    search: &mut Search<'_>,
    number: usize,
    disk: &Arc<dyn BlockDevice>,
    about: &mut GuestDisk,
) -> Result<(), DiskError> {
    let reader = Reader::new(disk);
    let table = PartitionTable::read(&reader)?;
    let whole = Made::new(Origin::Disk { disk: number });
    // A mirror of whole disks whose superblock lies at the end shows the table of the array.
    let is_member = md::is_whole_disk(disk, &table)?;
    if is_member || matches!(table.scheme, Scheme::None | Scheme::Unknown) {
        about.notes.clone_from(&table.notes);
        if search.add(whole, disk) {
            about.scheme = Scheme::None;
        } else {
            search.remove_last();
            about.notes.push(first_sectors::describe(&reader)?);
        }
        return Ok(());
    }
    about.scheme = table.scheme;
    about.sector_bytes = table.sector_bytes;
    about.signature = table.disk_signature;
    about.guid = table.disk_guid;
    about.notes.clone_from(&table.notes);
    search.add_ldm_disk(number, disk, &table);
    for listed in &table.entries {
        let origin = Origin::Partition {
            disk: number,
            number: listed.number,
            offset: listed.partition.offset,
            name: listed.name.clone(),
            guid: listed.guid,
        };
        add_partition(search, Made::new(origin), listed, &table, disk);
    }
    Ok(())
}

fn add_partition(
    search: &mut Search<'_>,
    made: Made,
    listed: &Listed,
    table: &PartitionTable,
    disk: &Arc<dyn BlockDevice>,
) {
    let partition = &listed.partition;
    let made = Made {
        role: partition.role,
        windows_id: match (listed.guid, table.disk_signature) {
            (Some(guid), _) => Some(WindowsId::Guid(guid)),
            (None, Some(signature)) => Some(WindowsId::Mbr {
                signature,
                offset: partition.offset,
            }),
            (None, None) => None,
        },
        ..made
    };
    match device_part(disk, partition.offset, partition.len_bytes) {
        Some(device) => {
            search.add(made, &device);
            if partition.role == Role::StorageSpaces {
                search.obstruct_last(Obstacle::not_read(
                    "the partition is a part of Storage Spaces",
                ));
            }
        }
        None => {
            let what = format!(
                "the partition reaches to byte {} of a disk of {} bytes",
                partition.offset.saturating_add(partition.len_bytes),
                disk.size_bytes()
            );
            search.add_without_device(made, partition.len_bytes, Obstacle::damaged(what));
        }
    }
}

/// Divides arrays and logical volumes that hold a partition table: those from `first` on.
fn divide(search: &mut Search<'_>, first: usize) {
    for (volume, device) in search.undivided(first) {
        let Ok(table) = PartitionTable::read(&Reader::new(&device)) else {
            continue;
        };
        if table.entries.is_empty() {
            continue;
        }
        search.mark_used(&volume, format!("the partitions of {volume}"));
        for listed in &table.entries {
            let origin = Origin::Inner {
                volume: volume.clone(),
                number: listed.number,
                offset: listed.partition.offset,
                name: listed.name.clone(),
                guid: listed.guid,
            };
            let made = Made::new(origin).named(format!("{volume}.{}", listed.number));
            add_partition(search, made, listed, &table, &device);
        }
    }
}

impl GuestVolume {
    /// Returns whether a person would look for files in it: it is a volume of its own, not a part of
    /// others, and not set aside for a system's own use.
    pub fn is_own(&self) -> bool {
        self.used_by.is_empty() && !matches!(self.role, Role::Reserved | Role::Ldm)
    }
}
