//! Allocation groups: the tree of their free extents, by block number.

use crate::fields::{be, index, part};
use crate::found_ranges::FoundRanges;
use crate::refusal::{Read, ensure};
use crate::volume::Volume;
use crate::xfs::superblock::{Superblock, check_sum};

const LEVELS_MAX: u64 = 10;
/// No block.
const NONE: u64 = 0xFFFF_FFFF;

/// The tree of one group.
struct Tree<'a> {
    volume: &'a Volume<'a>,
    superblock: &'a Superblock,
    group: u64,
    blocks: u64,
}

/// A block of the tree.
struct Node {
    bytes: Vec<u8>,
    header_bytes: usize,
    records: usize,
    right: u64,
}

/// Adds the free extents of a group.
pub(crate) fn free(
    volume: &Volume<'_>,
    superblock: &Superblock,
    group: u64,
    found: &mut FoundRanges,
) -> Read<()> {
    let place = group * superblock.group_blocks * superblock.block_bytes + superblock.sector_bytes;
    let head = volume.read(place, superblock.sector_bytes)?;
    let wide = |at| be::u32_at(&head, at).map(u64::from);
    ensure(
        head.starts_with(b"XAGF") && wide(8)? == group,
        "a group does not begin like one",
    )?;
    if superblock.is_v5 {
        check_sum(&head, 216, "group")?;
        ensure(
            part(&head, 64, 16)? == superblock.id,
            "a group is another volume's",
        )?;
    }
    let blocks = superblock.blocks_of(group);
    ensure(
        wide(12)? == blocks,
        "a group has another length than it should",
    )?;
    let tree = Tree {
        volume,
        superblock,
        group,
        blocks,
    };
    let counted = tree.walk(wide(16)?, wide(28)?, found)?;
    ensure(
        counted == wide(52)?,
        "a group counts another number of free blocks than its tree has",
    )
}

impl Tree<'_> {
    /// Adds all extents; returns how many blocks they have.
    fn walk(&self, root: u64, levels: u64, found: &mut FoundRanges) -> Read<u64> {
        ensure(
            (1..=LEVELS_MAX).contains(&levels),
            "a tree has no height that makes sense",
        )?;
        let mut block = root;
        for level in (1..levels).rev() {
            let node = self.node(block, level)?;
            ensure(node.records > 0, "a tree leads nowhere")?;
            block = node.first_child(self.superblock.block_bytes)?;
        }
        let (mut counted, mut end, mut visited) = (0, 0, 0);
        while block != NONE {
            // There are no more leaves than blocks, and a leaf that comes again does not ascend.
            visited += 1;
            ensure(visited <= self.blocks, "a tree has no end")?;
            let leaf = self.node(block, 0)?;
            ensure(leaf.records > 0 || levels == 1, "a tree has an empty leaf")?;
            for record in 0..leaf.records {
                let at = leaf.header_bytes + 8 * record;
                let start = u64::from(be::u32_at(&leaf.bytes, at)?);
                let len = u64::from(be::u32_at(&leaf.bytes, at + 4)?);
                ensure(
                    len > 0 && start >= end && start + len <= self.blocks,
                    "free extents overlap, or lie outside of their group",
                )?;
                end = start + len;
                counted += len;
                found.add(self.place(start)..self.place(end));
            }
            block = leaf.right;
        }
        Ok(counted)
    }

    /// Returns where in the disk a block of the group begins.
    fn place(&self, block: u64) -> u64 {
        let block = self.group * self.superblock.group_blocks + block;
        self.volume.offset + block * self.superblock.block_bytes
    }

    fn node(&self, block: u64, level: u64) -> Read<Node> {
        ensure(
            block > 0 && block < self.blocks,
            "a tree leads out of its group",
        )?;
        let place = self.place(block) - self.volume.offset;
        let bytes = self.volume.read(place, self.superblock.block_bytes)?;
        let is_v5 = self.superblock.is_v5;
        let magic: &[u8] = if is_v5 { b"AB3B" } else { b"ABTB" };
        ensure(
            bytes.starts_with(magic) && u64::from(be::u16_at(&bytes, 4)?) == level,
            "a block of a tree does not begin like one",
        )?;
        if is_v5 {
            check_sum(&bytes, 52, "block of a tree")?;
            let own = place / 512;
            ensure(
                be::u64_at(&bytes, 16)? == own
                    && part(&bytes, 32, 16)? == self.superblock.id
                    && u64::from(be::u32_at(&bytes, 48)?) == self.group,
                "a block of a tree belongs elsewhere",
            )?;
        }
        Ok(Node {
            header_bytes: if is_v5 { 56 } else { 16 },
            records: usize::from(be::u16_at(&bytes, 6)?),
            right: u64::from(be::u32_at(&bytes, 12)?),
            bytes,
        })
    }
}

impl Node {
    /// Returns the first of the blocks below: they stand behind the room for all keys.
    fn first_child(&self, block_bytes: u64) -> Read<u64> {
        let room = index(block_bytes)?.saturating_sub(self.header_bytes) / 12;
        be::u32_at(&self.bytes, self.header_bytes + 8 * room).map(u64::from)
    }
}
