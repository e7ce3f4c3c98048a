//! Where the blocks of a file lie: extents, or pointers as ext2 has them.

use super::Volume;
use super::inode::{EXTENTS, Inode};
use crate::FileError;
use crate::posix::corrupt;
use crate::posix::fields::{joined, le, part};

const EXTENT_MAGIC: u16 = 0xF30A;
/// No tree of extents is deeper.
const MOST_LEVELS: u16 = 5;
/// What a file can have at most, in blocks.
const MOST_BLOCKS: u64 = 1 << 32;

/// Blocks of a file that lie side by side, or nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// The first block on the volume; `None` where the file reads as zeros.
    pub(super) block: Option<u64>,
    /// How many, from the one that was asked for; at least one.
    pub(super) blocks: u64,
}

impl Run {
    fn hole(from: u64, to: u64) -> Self {
        Self {
            block: None,
            blocks: to.saturating_sub(from).max(1),
        }
    }
}

/// Says where a block of a file lies, and how many behind it lie likewise.
pub(super) fn run_at(volume: &Volume, inode: &Inode, block: u64) -> Result<Run, FileError> {
    if block >= MOST_BLOCKS {
        return Ok(Run::hole(block, u64::MAX));
    }
    if inode.flags & EXTENTS == 0 {
        return indirect(volume, inode, block);
    }
    extents(volume, inode, block)
}

fn extents(volume: &Volume, inode: &Inode, wanted: u64) -> Result<Run, FileError> {
    let mut node = inode.block.to_vec();
    let mut levels = None;
    // Where what this node speaks of ends.
    let mut end = MOST_BLOCKS;
    loop {
        if le::u16_at(&node, 0)? != EXTENT_MAGIC {
            return Err(corrupt("a node of its extents has another signature"));
        }
        let depth = le::u16_at(&node, 6)?;
        let expected = levels.unwrap_or(depth);
        if depth != expected || depth > MOST_LEVELS {
            return Err(corrupt("its extents do not get to an end"));
        }
        let entries = part(&node, 12, usize::from(le::u16_at(&node, 2)?) * 12)?;
        let entries: &[[u8; 12]] = entries.as_chunks().0;
        let first_of = |entry: &[u8; 12]| le::u32_at(entry, 0).map_or(u64::MAX, u64::from);
        let after = entries.partition_point(|entry| first_of(entry) <= wanted);
        if let Some(next) = entries.get(after) {
            end = end.min(first_of(next));
        }
        let Some(entry) = after.checked_sub(1).and_then(|at| entries.get(at)) else {
            return Ok(Run::hole(wanted, end));
        };
        if depth == 0 {
            return leaf_run(entry, wanted, end);
        }
        let child = joined(u32::from(le::u16_at(entry, 8)?), le::u32_at(entry, 4)?);
        node = extent_block(volume, inode, child)?;
        levels = Some(depth - 1);
    }
}

fn leaf_run(entry: &[u8; 12], wanted: u64, end: u64) -> Result<Run, FileError> {
    let first = u64::from(le::u32_at(entry, 0)?);
    let stored = u64::from(le::u16_at(entry, 4)?);
    // What was allocated and never written reads as zeros.
    let (len, is_written) = if stored > 32_768 {
        (stored - 32_768, false)
    } else {
        (stored, true)
    };
    let inside = wanted - first;
    if inside >= len {
        return Ok(Run::hole(wanted, end));
    }
    let start = joined(u32::from(le::u16_at(entry, 6)?), le::u32_at(entry, 8)?);
    Ok(Run {
        block: is_written.then_some(start + inside),
        blocks: (len - inside).min(end.saturating_sub(wanted).max(1)),
    })
}

fn extent_block(volume: &Volume, inode: &Inode, block: u64) -> Result<Vec<u8>, FileError> {
    let bytes = volume.block(block)?;
    if let Some(seed) = inode.checksum_seed {
        let tail = 12 + usize::from(le::u16_at(&bytes, 4)?) * 12;
        if super::crc32c(seed, part(&bytes, 0, tail)?) != le::u32_at(&bytes, tail)? {
            return Err(corrupt("a node of its extents has another checksum"));
        }
    }
    Ok(bytes)
}

/// Twelve pointers to blocks, then one to a block of pointers, to a block of those, and of those.
fn indirect(volume: &Volume, inode: &Inode, wanted: u64) -> Result<Run, FileError> {
    const DIRECT: u64 = 12;
    if wanted < DIRECT {
        let run = pointer_run(part(&inode.block, 0, 48)?, wanted)?;
        return Ok(run);
    }
    let per_block = u64::from(volume.superblock.block_bytes / 4);
    let mut start = DIRECT;
    let mut span = per_block;
    for level in 0..3_u32 {
        if wanted < start + span {
            let slot = 48 + 4 * usize::try_from(level).unwrap_or(0);
            let pointer = le::u32_at(&inode.block, slot)?;
            return down(volume, pointer, span, wanted - start, per_block);
        }
        start += span;
        span = span.saturating_mul(per_block);
    }
    Ok(Run::hole(wanted, u64::MAX))
}

/// Follows a pointer that stands for `span` blocks to the one that is `wanted` of them.
fn down(
    volume: &Volume,
    mut pointer: u32,
    mut span: u64,
    mut wanted: u64,
    per_block: u64,
) -> Result<Run, FileError> {
    loop {
        if pointer == 0 {
            return Ok(Run::hole(wanted, span));
        }
        let bytes = volume.block(u64::from(pointer))?;
        span /= per_block;
        if span <= 1 {
            return pointer_run(&bytes, wanted);
        }
        let slot = usize::try_from(wanted / span).unwrap_or(usize::MAX);
        pointer = le::u32_at(&bytes, slot.saturating_mul(4))?;
        wanted %= span;
    }
}

/// Counts pointers that go on where the one before ended.
fn pointer_run(pointers: &[u8], wanted: u64) -> Result<Run, FileError> {
    let slot = usize::try_from(wanted).unwrap_or(usize::MAX);
    let rest = pointers.get(slot.saturating_mul(4)..).unwrap_or_default();
    let first = le::u32_at(rest, 0)?;
    let numbers = rest
        .as_chunks()
        .0
        .iter()
        .map(|bytes| u32::from_le_bytes(*bytes));
    let like_first = numbers
        .zip(0_u32..)
        .take_while(|(number, place)| match first {
            0 => *number == 0,
            first => first.checked_add(*place) == Some(*number),
        });
    let blocks = u64::try_from(like_first.count()).unwrap_or(1);
    Ok(Run {
        block: (first != 0).then_some(u64::from(first)),
        blocks: blocks.max(1),
    })
}
