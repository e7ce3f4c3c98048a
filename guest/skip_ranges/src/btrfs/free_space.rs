//! The free space tree: what is free in each block group.

use std::ops::Range;

use crate::btrfs::chunk_map::ChunkMap;
use crate::btrfs::superblock::{Root, Superblock};
use crate::btrfs::tree::{Key, Trees};
use crate::fields::{index, le, u8_at};
use crate::found_ranges::FoundRanges;
use crate::refusal::{Read, Refusal, ensure};
use crate::volume::Volume;

const FREE_SPACE_TREE: u64 = 10;
const ROOT_ITEM: u8 = 132;
const INFO: u8 = 198;
const EXTENT: u8 = 199;
const BITMAP: u8 = 200;

/// Adds what is free in chunks, every copy of it.
pub(crate) fn free(
    volume: &Volume<'_>,
    superblock: &Superblock,
    chunks: &ChunkMap,
    found: &mut FoundRanges,
) -> Read<()> {
    let trees = Trees {
        volume,
        superblock,
        chunks,
    };
    let root = root(&trees)?;
    let mut group = 0..0;
    let mut free_bytes: u64 = 0;
    let mut add = |range: Range<u64>| -> Read<()> {
        let chunk = chunks.chunk_of(&range)?;
        free_bytes = free_bytes.saturating_add(range.end - range.start);
        for copy in &chunk.copies {
            let start = volume.offset + copy + (range.start - chunk.logical.start);
            found.add(start..start + (range.end - range.start));
        }
        Ok(())
    };
    let mut last = 0;
    let mut gone = false;
    trees.each(root, 0..=u64::MAX, |key, item| {
        let range = key.object..key.object.saturating_add(key.offset);
        if key.kind == INFO {
            ensure(range.start >= group.end, "block groups overlap")?;
            // What mkfs made for a moment stays in the tree, and is in no chunk any more.
            gone = !chunks.overlaps(&range);
            ensure(
                gone || chunks.chunk_of(&range)?.logical == range,
                "a block group is no chunk",
            )?;
            last = range.start;
            group = range;
            return Ok(());
        }
        ensure(
            range.start >= last && group.contains(&range.start) && range.end <= group.end,
            "free space overlaps, or lies outside of its group",
        )?;
        last = range.end;
        if gone {
            return Ok(());
        }
        match key.kind {
            EXTENT => add(range),
            BITMAP => bitmap(&range, item, superblock.sector_bytes, &mut add),
            _ => Err(Refusal::damaged("the free space tree holds something else")),
        }
    })?;
    let total = free_bytes.checked_add(superblock.used_bytes);
    ensure(
        total.is_some_and(|total| total <= chunks.total_bytes()),
        "more is free or used than there is",
    )
}

/// Adds the runs of a bitmap, in which bits that are set are free.
fn bitmap(
    range: &Range<u64>,
    bits: &[u8],
    sector_bytes: u64,
    add: &mut impl FnMut(Range<u64>) -> Read<()>,
) -> Read<()> {
    let sectors = (range.end - range.start) / sector_bytes;
    ensure(
        index(sectors.div_ceil(8))? == bits.len(),
        "a bitmap has another length than its range",
    )?;
    let inverted: Vec<u8> = bits.iter().map(|byte| !byte).collect();
    let mut runs = Vec::new();
    crate::bits::clear_runs(&inverted, |run| runs.push(run));
    for run in runs {
        let at = |bit: u64| range.start + bit.min(sectors) * sector_bytes;
        let part = at(run.start)..at(run.end);
        if !part.is_empty() {
            add(part)?;
        }
    }
    Ok(())
}

/// Finds the tree.
fn root(trees: &Trees<'_>) -> Read<Root> {
    let mut root = None;
    let objects = FREE_SPACE_TREE..=FREE_SPACE_TREE;
    trees.each(trees.superblock.root, objects, |key: Key, item| {
        if key.kind == ROOT_ITEM {
            root = Some(Root {
                place: le::u64_at(item, 176)?,
                level: u8_at(item, 238)?,
                generation: le::u64_at(item, 160)?,
            });
        }
        Ok(())
    })?;
    root.ok_or_else(|| Refusal::damaged("its free space tree is not there"))
}
