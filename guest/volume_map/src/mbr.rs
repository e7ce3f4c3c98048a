//! The master boot record.

use std::collections::BTreeSet;

use block_io::DiskError;

use crate::content::{self, Content};
use crate::gpt;
use crate::partition_table::{Listed, PartitionTable};
use crate::reader::{Reader, bytes_at, u16_at, u32_at};
use crate::{PARTITIONS_MAX, Partition, Role, Scheme};

/// An entry of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// Which of the four, from 1.
    number: u32,
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
    for (number, at) in (1..=4).zip([446, 462, 478, 494]) {
        let [status, ..] = bytes_at::<1>(sector, at);
        if status & 0x7F != 0 {
            return None;
        }
        let [kind] = bytes_at::<1>(sector, at + 4);
        entries.push(Entry {
            number,
            kind,
            first_sector: u32_at(sector, at + 8),
            sectors: u32_at(sector, at + 12),
        });
    }
    entries.retain(|entry| entry.kind != 0);
    (!entries.is_empty()).then_some(entries)
}

/// Returns whether the table says that there is a GPT.
pub(crate) fn is_protective(entries: &[Entry]) -> bool {
    entries.iter().any(|entry| entry.kind == PROTECTIVE)
}

/// Returns whether it names partitions besides ("hybrid"): those are in the GPT too.
pub(crate) fn is_hybrid(entries: &[Entry]) -> bool {
    is_protective(entries) && entries.iter().any(|entry| entry.kind != PROTECTIVE)
}

/// Returns the table, with the partitions of an extended one among the others. `first` is sector 0.
pub(crate) fn table(
    entries: &[Entry],
    first: &[u8],
    reader: &Reader<'_>,
) -> Result<PartitionTable, DiskError> {
    let sector_bytes = sector_bytes(entries, reader)?;
    let mut table = PartitionTable::new(Scheme::Mbr, sector_bytes);
    table.disk_signature = Some(u32_at(first, 440));
    if sector_bytes != reader.sector_bytes() {
        table.notes.push(format!(
            "the disk has sectors of {} bytes, and its table counts in {sector_bytes}: the image was moved",
            reader.sector_bytes()
        ));
    }
    for entry in entries {
        if is_extended(entry.kind) {
            logical(u64::from(entry.first_sector), reader, &mut table)?;
        } else {
            let listed = listed(entry, 0, sector_bytes);
            table.entries.push(listed);
        }
    }
    Ok(table)
}

/// Says in which sectors a table counts: the disk's own, unless something that is known begins only
/// where the other size says so.
fn sector_bytes(entries: &[Entry], reader: &Reader<'_>) -> Result<u64, DiskError> {
    let sizes = gpt::sector_sizes(reader);
    for sector_bytes in sizes {
        for entry in entries {
            let place = u64::from(entry.first_sector).saturating_mul(sector_bytes);
            let bytes = reader.read(place, 4096)?;
            let is_known = if is_extended(entry.kind) {
                self::entries(&bytes).is_some()
            } else {
                content::of(&bytes) != Content::Unknown
            };
            if is_known {
                return Ok(sector_bytes);
            }
        }
    }
    let [own, _] = sizes;
    Ok(own)
}

/// Follows the chain of an extended partition: each link names its partition and the next link. Links
/// may lie in any order; one that was seen before ends the chain.
fn logical(begin: u64, reader: &Reader<'_>, table: &mut PartitionTable) -> Result<(), DiskError> {
    let mut at = begin;
    let mut seen = BTreeSet::new();
    for number in (5_u32..).take(PARTITIONS_MAX) {
        if !seen.insert(at) {
            break;
        }
        let sector = reader.read(at.saturating_mul(table.sector_bytes), 512)?;
        let Some(link) = entries(&sector) else { break };
        let next = link.iter().find(|entry| is_extended(entry.kind));
        let own = link.iter().find(|entry| !is_extended(entry.kind));
        if let Some(entry) = own {
            let listed = listed(&Entry { number, ..*entry }, at, table.sector_bytes);
            table.entries.push(listed);
        }
        let Some(next) = next else { break };
        at = begin.saturating_add(u64::from(next.first_sector));
    }
    Ok(())
}

fn is_extended(kind: u8) -> bool {
    matches!(kind, 0x05 | 0x0F | 0x85)
}

fn listed(entry: &Entry, base: u64, sector_bytes: u64) -> Listed {
    let bytes = |sectors: u64| sectors.saturating_mul(sector_bytes);
    let partition = Partition {
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
    };
    Listed {
        number: entry.number,
        partition,
        name: String::new(),
        guid: None,
        is_ldm_database: false,
    }
}
