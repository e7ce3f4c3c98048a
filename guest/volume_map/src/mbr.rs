//! The master boot record.

use block_io::DiskError;

use crate::content::Content;
use crate::reader::{Reader, bytes_at, u16_at, u32_at};
use crate::{PARTITIONS_MAX, Partition, Role};

/// An entry of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    kind: u8,
    first_sector: u32,
    sectors: u32,
}

/// Windows' Logical Disk Manager; before, a Secure File System that nobody has.
const LDM: u8 = 0x42;
const PROTECTIVE: u8 = 0xEE;

/// Reads the table of a sector; `None` where it has no signature, or its entries make no sense.
pub(crate) fn entries(sector: &[u8]) -> Option<Vec<Entry>> {
    if u16_at(sector, 510) != 0xAA55 {
        return None;
    }
    let mut entries = Vec::new();
    for number in 0..4 {
        let at = 446 + 16 * number;
        let [status, ..] = bytes_at::<1>(sector, at);
        if status & 0x7F != 0 {
            return None;
        }
        let [kind] = bytes_at::<1>(sector, at + 4);
        entries.push(Entry {
            kind,
            first_sector: u32_at(sector, at + 8),
            sectors: u32_at(sector, at + 12),
        });
    }
    entries.retain(|entry| entry.kind != 0);
    (!entries.is_empty()).then_some(entries)
}

/// Returns whether the table only says that there is a GPT.
pub(crate) fn is_protective(entries: &[Entry]) -> bool {
    entries.iter().any(|entry| entry.kind == PROTECTIVE)
}

/// Returns the partitions, those of an extended one among them.
pub(crate) fn partitions(
    entries: &[Entry],
    reader: &Reader<'_>,
) -> Result<Vec<Partition>, DiskError> {
    let mut partitions = Vec::new();
    for entry in entries {
        if is_extended(entry.kind) {
            logical(u64::from(entry.first_sector), reader, &mut partitions)?;
        } else {
            partitions.push(partition(entry, 0, reader));
        }
    }
    Ok(partitions)
}

/// Follows the chain of an extended partition: each link names its partition and the next link. A
/// chain has to go forward, so it ends.
fn logical(
    begin: u64,
    reader: &Reader<'_>,
    partitions: &mut Vec<Partition>,
) -> Result<(), DiskError> {
    let mut at = begin;
    for _ in 0..PARTITIONS_MAX {
        let sector = reader.read(at.saturating_mul(reader.sector_bytes()), 512)?;
        let Some(link) = entries(&sector) else { break };
        let next = link.iter().find(|entry| is_extended(entry.kind));
        let own = link.iter().find(|entry| !is_extended(entry.kind));
        partitions.extend(own.map(|entry| partition(entry, at, reader)));
        let next = next.map(|entry| begin.saturating_add(u64::from(entry.first_sector)));
        match next.filter(|next| *next > at) {
            Some(next) => at = next,
            None => break,
        }
    }
    Ok(())
}

fn is_extended(kind: u8) -> bool {
    matches!(kind, 0x05 | 0x0F | 0x85)
}

fn partition(entry: &Entry, base: u64, reader: &Reader<'_>) -> Partition {
    let bytes = |sectors: u64| sectors.saturating_mul(reader.sector_bytes());
    Partition {
        offset: bytes(base.saturating_add(u64::from(entry.first_sector))),
        len_bytes: bytes(u64::from(entry.sectors)),
        role: match entry.kind {
            LDM => Role::Ldm,
            0xEF => Role::EfiSystem,
            0xE7 => Role::StorageSpaces,
            0x27 | 0x82 | 0x12 => Role::Reserved,
            _ => Role::Data,
        },
        content: Content::Unknown,
    }
}
