//! The database of a disk group: TOCBLOCK, VMDB, VBLKs.

use std::collections::BTreeMap;

use block_io::BlockDevice;

use super::private_header::{PrivateHeader, is_whole, text};
use super::record::{Component, Disk, PartitionOf, Record, Volume};
use crate::reader::{READ_MAX_BYTES, Reader, bytes_at, u16_at, u32_at};

/// Most bytes of a database that are read; Windows makes 1 MiB.
const DATABASE_MAX_BYTES: u64 = 16 << 20;
const BLOCK_BYTES: usize = 512;
/// A VBLK's own header; its piece of a record follows.
const VBLK_HEADER_BYTES: usize = 16;

/// A group's records.
#[derive(Debug, Clone, Default)]
pub(super) struct Database {
    pub(super) group_name: String,
    /// Counts what was committed.
    pub(super) committed: u64,
    records: Vec<Record>,
}

impl Database {
    pub(super) fn volumes(&self) -> impl Iterator<Item = &Volume> {
        self.records.iter().filter_map(|record| match record {
            Record::Volume(volume) => Some(volume),
            _ => None,
        })
    }

    pub(super) fn components(&self) -> impl Iterator<Item = &Component> {
        self.records.iter().filter_map(|record| match record {
            Record::Component(component) => Some(component),
            _ => None,
        })
    }

    pub(super) fn partitions(&self) -> impl Iterator<Item = &PartitionOf> {
        self.records.iter().filter_map(|record| match record {
            Record::Partition(partition) => Some(partition),
            _ => None,
        })
    }

    pub(super) fn disks(&self) -> impl Iterator<Item = &Disk> {
        self.records.iter().filter_map(|record| match record {
            Record::Disk(disk) => Some(disk),
            _ => None,
        })
    }
}

/// Reads the database of a disk; `None` where none of its parts is whole, or the disk cannot be read.
pub(super) fn read(
    disk: &dyn BlockDevice,
    sector_bytes: u64,
    header: &PrivateHeader,
) -> Option<Database> {
    let start = header.database_start.checked_mul(sector_bytes)?;
    let len_bytes = header.database_sectors.checked_mul(sector_bytes)?;
    let bytes = read_long(&Reader::new(disk), start, len_bytes.min(DATABASE_MAX_BYTES))?;
    let sector = usize::try_from(sector_bytes).ok()?;
    let config = config_start(&bytes, sector)?.checked_mul(sector)?;
    let table = bytes.get(config..)?;
    if !table.starts_with(b"VMDB") {
        return None;
    }
    Some(Database {
        group_name: text(table, 0x16, 31),
        committed: u64::from_be_bytes(bytes_at(table, 0x75)),
        records: records(table)?,
    })
}

fn read_long(reader: &Reader<'_>, start: u64, len_bytes: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < len_bytes {
        let rest = usize::try_from(len_bytes - bytes.len() as u64).ok()?;
        let at = start.checked_add(bytes.len() as u64)?;
        let part = reader.read(at, rest.min(READ_MAX_BYTES)).ok()?;
        if part.is_empty() {
            break;
        }
        bytes.extend(part);
    }
    Some(bytes)
}

/// Finds the part "config" by the table of contents, of which there are copies at both ends: it has
/// two entries.
fn config_start(bytes: &[u8], sector_bytes: usize) -> Option<usize> {
    let sectors = bytes.chunks_exact(sector_bytes).rev();
    // The copies at the beginning are looked at first.
    let first = bytes.chunks_exact(sector_bytes).take(3);
    let blocks = first.chain(sectors.take(4));
    let blocks = blocks.filter_map(|sector| sector.get(..BLOCK_BYTES));
    let mut whole = blocks.filter(|block| block.starts_with(b"TOCBLOCK") && is_whole(block));
    let block = whole.next()?;
    let entry = [0x24, 0x46]
        .into_iter()
        .find(|at| text(block, *at, 8) == "config")?;
    usize::try_from(u64::from_be_bytes(bytes_at(block, entry + 10))).ok()
}

/// Collects the pieces of each record, which need not lie side by side, and reads those that are all
/// here and count.
fn records(table: &[u8]) -> Option<Vec<Record>> {
    let be = |at| u32_at(table, at).swap_bytes();
    let last = usize::try_from(be(4)).ok()?;
    let vblk_bytes = usize::try_from(be(8)).ok()?;
    let first = usize::try_from(be(12)).ok()?;
    if !(VBLK_HEADER_BYTES + 8..=4096).contains(&vblk_bytes) {
        return None;
    }
    let mut pieces: BTreeMap<u32, BTreeMap<u16, &[u8]>> = BTreeMap::new();
    let mut counts: BTreeMap<u32, u16> = BTreeMap::new();
    let blocks = table.get(first..)?.chunks_exact(vblk_bytes);
    for block in blocks.take(last).filter(|block| block.starts_with(b"VBLK")) {
        let group = u32_at(block, 8).swap_bytes();
        let [number, count] = [u16_at(block, 12), u16_at(block, 14)].map(u16::swap_bytes);
        if group == 0 || number >= count {
            continue;
        }
        counts.insert(group, count);
        let piece = block.get(VBLK_HEADER_BYTES..)?;
        pieces.entry(group).or_default().insert(number, piece);
    }
    let phase = u16_at(table, 0x10).swap_bytes();
    let whole = pieces.into_iter().filter(|(group, pieces)| {
        counts
            .get(group)
            .is_some_and(|count| pieces.len() == usize::from(*count))
    });
    let records = whole.filter_map(|(_, pieces)| {
        let bytes: Vec<u8> = pieces.into_values().flatten().copied().collect();
        counts_in(phase, u16_at(&bytes, 0).swap_bytes())
            .then(|| Record::parse(&bytes))
            .flatten()
    });
    Some(records.collect())
}

/// Says whether a record of this status counts. A change adds the new records first, then removes the
/// old ones: until the second phase the old ones count, from then on the new ones.
fn counts_in(phase: u16, status: u16) -> bool {
    const REMOVING: u16 = 3;
    match status {
        1 => phase != REMOVING,
        2 => phase == REMOVING,
        _ => true,
    }
}
