//! PRIVHEAD: which disk of which group this is, and where its database lies.

use block_io::BlockDevice;
use uuid::Uuid;

use crate::Role;
use crate::partition_table::PartitionTable;
use crate::reader::{Reader, bytes_at, is_sum, u32_at};

/// Where a disk with a master boot record has its first one.
const MBR_SECTOR: u64 = 6;
const BLOCK_BYTES: usize = 512;

/// A header. All places are counted in sectors.
#[derive(Debug, Clone)]
pub(super) struct PrivateHeader {
    pub(super) disk_id: Uuid,
    pub(super) group_id: Uuid,
    pub(super) group_name: String,
    /// Where the part of the disk begins that volumes lie in.
    pub(super) data_start: u64,
    /// Where the database begins.
    pub(super) database_start: u64,
    /// How long it is.
    pub(super) database_sectors: u64,
}

/// Finds the first whole header of a dynamic disk.
pub(super) fn find(disk: &dyn BlockDevice, table: &PartitionTable) -> Option<PrivateHeader> {
    let mut of_ldm = table.entries.iter();
    if !of_ldm.any(|listed| listed.partition.role == Role::Ldm) {
        return None;
    }
    let reader = Reader::new(disk);
    let sector_bytes = table.sector_bytes;
    let last_of = |end: u64| end.checked_sub(sector_bytes);
    let databases = table.entries.iter().filter(|listed| listed.is_ldm_database);
    let in_metadata = databases.filter_map(|listed| {
        let partition = &listed.partition;
        last_of(partition.offset.checked_add(partition.len_bytes)?)
    });
    let on_disk = [
        Some(MBR_SECTOR * sector_bytes),
        last_of(reader.size_bytes() / sector_bytes * sector_bytes),
    ];
    let mut places = in_metadata.chain(on_disk.into_iter().flatten());
    places.find_map(|place| parse(&reader.read(place, BLOCK_BYTES).ok()?))
}

fn parse(block: &[u8]) -> Option<PrivateHeader> {
    if !block.starts_with(b"PRIVHEAD") || !is_whole(block) {
        return None;
    }
    let number = |at| u64::from_be_bytes(bytes_at(block, at));
    Some(PrivateHeader {
        disk_id: text(block, 0x30, 64).parse().ok()?,
        group_id: text(block, 0xB0, 64).parse().ok()?,
        group_name: text(block, 0xF0, 32),
        data_start: number(0x11B),
        database_start: number(0x12B),
        database_sectors: number(0x133),
    })
}

/// The field after the magic number is the sum of all bytes but its own. The documentation calls it
/// unknown; it is so on every dynamic disk that was looked at, in TOCBLOCKs as well.
pub(super) fn is_whole(block: &[u8]) -> bool {
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    let own: u32 = bytes_at::<4>(block, 8).into_iter().map(u32::from).sum();
    block.len() == BLOCK_BYTES && is_sum(sum - own, u32_at(block, 8).swap_bytes())
}

/// Returns a text that NULs fill up.
pub(super) fn text(block: &[u8], at: usize, len_bytes: usize) -> String {
    let field = block.get(at..at.saturating_add(len_bytes)).unwrap_or(&[]);
    let text = field.split(|byte| *byte == 0).next().unwrap_or(&[]);
    String::from_utf8_lossy(text).into_owned()
}
