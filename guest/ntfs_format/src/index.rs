//! Indexes: folders, and the tables that NTFS keeps for itself.

use crate::fields::{index, part, u16_at, u32_at, u64_at};
use crate::malformed::{Malformed, Parsed, ensure};

/// Where the header of entries begins in an `$INDEX_ROOT`.
pub const INDEX_ROOT_HEADER: usize = 16;
/// Where it begins in a block (`INDX`).
pub const INDEX_BLOCK_HEADER: usize = 24;

/// The entry leads to a block below.
const HAS_BLOCK_BELOW: u16 = 1;
const IS_LAST: u16 = 2;

/// An entry of a node of an index.
#[derive(Debug, Clone, Copy)]
pub struct IndexEntry<'a> {
    /// The file that it stands for, in a folder.
    pub reference: u64,
    /// What it is sorted by; `None` for the last, which stands behind all keys.
    pub key: Option<&'a [u8]>,
    /// What it leads to, in an index that is no folder.
    pub data: &'a [u8],
    /// The block with the keys that come before this one.
    pub below: Option<u64>,
}

/// Returns the size of an index's blocks, as its `$INDEX_ROOT` has it.
///
/// # Errors
///
/// Where it is none.
pub fn index_block_bytes(root: &[u8]) -> Parsed<u64> {
    let bytes = u64::from(u32_at(root, 8)?);
    ensure(
        bytes.is_power_of_two() && (512..=64 << 10).contains(&bytes),
        "an index has blocks of no size",
    )?;
    Ok(bytes)
}

/// Reads the entries of a node whose header begins at `header`, the last one included.
///
/// # Errors
///
/// Where an entry leaves the node, or none is the last.
pub fn index_entries(bytes: &[u8], header: usize) -> Parsed<Vec<IndexEntry<'_>>> {
    let mut at = header.saturating_add(index(u32_at(bytes, header)?)?);
    let end = header.saturating_add(index(u32_at(bytes, header + 4)?)?);
    ensure(end <= bytes.len(), "an index is longer than its block")?;
    let mut entries = Vec::new();
    while at < end {
        let len = usize::from(u16_at(bytes, at + 8)?);
        ensure(len >= 16, "an entry of an index has no length")?;
        let entry = part(bytes, at, len)?;
        let flags = u16_at(entry, 12)?;
        let is_last = flags & IS_LAST != 0;
        let key = part(entry, 16, usize::from(u16_at(entry, 10)?))?;
        entries.push(IndexEntry {
            reference: u64_at(entry, 0)?,
            key: (!is_last).then_some(key),
            data: part(
                entry,
                usize::from(u16_at(entry, 0)?),
                usize::from(u16_at(entry, 2)?),
            )
            .unwrap_or_default(),
            below: if flags & HAS_BLOCK_BELOW == 0 {
                None
            } else {
                Some(u64_at(entry, len - 8)?)
            },
        });
        if is_last {
            return Ok(entries);
        }
        at += len;
    }
    Err(Malformed::new("an index has no end"))
}
