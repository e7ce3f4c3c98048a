//! Windows' dynamic disks (Logical Disk Manager).
//!
//! ```text
//!   PRIVHEAD ─► where the database is ─► TOCBLOCK ─► "config" ─► VMDB ─► VBLKs ─► records
//!     MBR: sector 6, and the disk's last
//!     GPT: the last sector of the metadata partition
//!   disk group: volume ─► components (mirrors) ─► partitions (spanned or striped) ─► disks
//! ```
//!
//! Facts: the Linux-NTFS project's documentation of LDM (`ldm/technical/`), and what dynamic disks that
//! Windows Server 2003 R2 and 2008 R2 made hold. Every disk of a group has the whole group's database;
//! the one with the highest committed number is believed.

mod database;
mod disk_group;
mod private_header;
mod record;

use std::collections::BTreeMap;
use std::sync::Arc;

use block_io::BlockDevice;
use uuid::Uuid;

use crate::guest_volume::{Origin, WindowsId};
use crate::partition_table::PartitionTable;
use crate::search::{Made, Search};
use crate::{Obstacle, Role};
use database::Database;
use disk_group::Present;

/// A dynamic disk.
pub(crate) struct LdmDisk {
    /// Which of the disks that were given.
    number: usize,
    device: Arc<dyn BlockDevice>,
    /// How long its sectors are, in which everything is counted.
    sector_bytes: u64,
    header: private_header::PrivateHeader,
    /// `None`: it is damaged.
    database: Option<Database>,
}

/// Reads a disk as a dynamic one; `None` where its table names no such partition, or where it has no
/// header that is whole.
pub(crate) fn ldm_disk(
    number: usize,
    disk: &Arc<dyn BlockDevice>,
    table: &PartitionTable,
) -> Option<LdmDisk> {
    let header = private_header::find(disk, table)?;
    let database = database::read(disk, table.sector_bytes, &header);
    Some(LdmDisk {
        number,
        device: Arc::clone(disk),
        sector_bytes: table.sector_bytes,
        header,
        database,
    })
}

/// Puts together the volumes of all disk groups.
pub(crate) fn assemble(search: &mut Search<'_>) {
    let mut groups: BTreeMap<Uuid, (Option<Database>, Vec<Present>)> = BTreeMap::new();
    let mut used = Vec::new();
    for disk in search.ldm_disks() {
        let (newest, present) = groups.entry(disk.header.group_id).or_default();
        let is_newer = |own: &Database| {
            newest
                .as_ref()
                .is_none_or(|known| known.committed < own.committed)
        };
        if let Some(own) = disk.database.as_ref().filter(|own| is_newer(own)) {
            *newest = Some(own.clone());
        }
        present.push(Present {
            disk_id: disk.header.disk_id,
            device: Arc::clone(&disk.device),
            data_offset: disk.header.data_start.saturating_mul(disk.sector_bytes),
            sector_bytes: disk.sector_bytes,
        });
        used.push((disk.number, disk.header.group_name.clone()));
    }
    mark_partitions(search, &used);
    for (newest, present) in groups.into_values() {
        if let Some(database) = newest {
            add_volumes(search, &database, &present);
        }
    }
}

/// The partitions of a dynamic disk are the group's, not volumes.
fn mark_partitions(search: &mut Search<'_>, used: &[(usize, String)]) {
    for found in search.found_mut() {
        let volume = &mut found.volume;
        let Origin::Partition { disk, .. } = volume.origin else {
            continue;
        };
        if volume.role != Role::Ldm {
            continue;
        }
        found.taken = true;
        match used.iter().find(|(number, _)| *number == disk) {
            Some((_, group)) => {
                volume.used_by.push(format!("disk group {group}"));
                if volume.device.is_some() {
                    volume.obstacle = None;
                }
            }
            None => {
                let what = "the disk is a dynamic one of Windows, and its database is damaged";
                volume.obstacle = Some(Obstacle::damaged(what));
            }
        }
    }
}

fn add_volumes(search: &mut Search<'_>, database: &Database, present: &[Present]) {
    let group = disk_group::DiskGroup::new(database, present);
    for volume in database.volumes() {
        let (layout, device) = group.device(volume);
        let origin = Origin::Ldm {
            group: database.group_name.clone(),
            volume: volume.name.clone(),
            layout: layout.to_owned(),
            drive_hint: volume.drive_hint.clone(),
        };
        let made = Made {
            windows_id: Some(WindowsId::Guid(volume.guid)),
            ..Made::new(origin).named(volume.name.clone())
        };
        match device {
            Ok(device) => {
                search.add(made, &device);
            }
            Err(why) => search.add_without_device(made, group.size_bytes(volume), why),
        }
    }
}
