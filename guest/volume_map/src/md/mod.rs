//! Linux software arrays (md).
//!
//! ```text
//!   superblock 1.1 at 0, 1.2 at 4 KiB, 1.0 and 0.90 near the end ─► members by array id
//!   members of one array ─► the newest event count says who is in step ─► level ─► device
//! ```
//!
//! Facts: the kernel's documentation (`Documentation/admin-guide/md.rst`), the layout of superblocks as
//! `mdadm --examine` and `md(4)` describe it, and the field names of `linux/raid/md_p.h`.

mod array;
mod level;
mod superblock;
mod superblock_v0;
mod superblock_v1;
mod zones;

use std::sync::Arc;

use block_io::{BlockDevice, DiskError};

use crate::guest_volume::Origin;
use crate::partition_table::PartitionTable;
use crate::reader::Reader;
use crate::search::{Made, Search};
use array::Member;
pub(crate) use superblock::Superblock;

/// Looks for a superblock where each version has its own.
pub(crate) fn superblock(reader: &Reader<'_>) -> Result<Option<Superblock>, DiskError> {
    if let Some(found) = superblock_v1::read(reader)? {
        return Ok(Some(found));
    }
    superblock_v0::read(reader)
}

/// Says whether a disk with this table is a member of an array as a whole. The old superblock, near
/// the end, says nothing of where its member begins: it is the last partition's, if that has room for
/// what it describes.
pub(crate) fn is_whole_disk(
    disk: &Arc<dyn BlockDevice>,
    table: &PartitionTable,
) -> Result<bool, DiskError> {
    let reader = Reader::new(disk);
    if superblock_v1::read(&reader)?.is_some() {
        return Ok(true);
    }
    let Some(found) = superblock_v0::read(&reader)? else {
        return Ok(false);
    };
    let place = superblock_v0::place(disk.size_bytes());
    let has_room = table.entries.iter().any(|listed| {
        let partition = &listed.partition;
        let end = partition.offset.saturating_add(partition.len_bytes);
        let own = superblock_v0::place(partition.len_bytes);
        own.and_then(|own| own.checked_add(partition.offset)) == place
            && end <= disk.size_bytes()
            && found.used_bytes <= partition.len_bytes
    });
    Ok(!has_room)
}

/// Puts together all arrays of members that nobody has asked for yet.
pub(crate) fn assemble(search: &mut Search<'_>) {
    // In the order of their first members.
    let mut arrays: Vec<Vec<Member>> = Vec::new();
    for found in search.found_mut() {
        let (Some(superblock), false) = (&found.md, found.taken) else {
            continue;
        };
        let Some(device) = &found.volume.device else {
            continue;
        };
        found.taken = true;
        let member = Member {
            superblock: superblock.clone(),
            device: Arc::clone(device),
            volume: found.volume.name.clone(),
        };
        let id = |members: &Vec<Member>| members.first().map(|it| it.superblock.array_id);
        match arrays
            .iter_mut()
            .find(|members| id(members) == Some(superblock.array_id))
        {
            Some(members) => members.push(member),
            None => arrays.push(vec![member]),
        }
    }
    for members in arrays {
        add_array(search, members);
    }
}

fn add_array(search: &mut Search<'_>, members: Vec<Member>) {
    let Some(newest) = array::newest(&members) else {
        return;
    };
    let superblock = newest.superblock.clone();
    let name = array_name(&superblock.name);
    for member in &members {
        search.mark_used(&member.volume, format!("array {name}"));
    }
    let origin = Origin::Md {
        array: superblock.name.clone(),
        level: level::name(superblock.level),
    };
    let made = Made::new(origin).named(name);
    match array::device(&superblock, &members) {
        Ok(device) => {
            search.add(made, &device);
        }
        Err(why) => search.add_without_device(made, array::size_bytes(&superblock), why),
    }
}

/// Members say `host:name`, and `host:0` of what the guest calls `md0`.
fn array_name(name: &str) -> String {
    let name = name.rsplit(':').next().unwrap_or(name);
    let is_number = !name.is_empty() && name.chars().all(|letter| letter.is_ascii_digit());
    match name {
        "" => "md".to_owned(),
        number if is_number => format!("md{number}"),
        name => format!("md-{name}"),
    }
}
