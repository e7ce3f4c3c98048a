//! Trees: keys in order, items in leaves.

use crate::btrfs::chunk_map::ChunkMap;
use crate::btrfs::superblock::{Root, Superblock, check_sum};
use crate::fields::{index, le, part, u8_at};
use crate::refusal::{Read, ensure};
use crate::volume::Volume;

const HEADER_BYTES: usize = 101;
const KEY_BYTES: usize = 17;
const POINTER_BYTES: usize = 33;
const ITEM_BYTES: usize = 25;
const LEVEL_MAX: u8 = 7;
/// Nodes of one tree that are read: 4 GiB of 16 KiB each, more than the free space of 100 TiB takes.
const NODES_MAX: u64 = 1 << 18;

/// What an item is found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) object: u64,
    pub(crate) kind: u8,
    pub(crate) offset: u64,
}

impl Key {
    pub(crate) fn parse(bytes: &[u8], at: usize) -> Read<Self> {
        Ok(Self {
            object: le::u64_at(bytes, at)?,
            kind: u8_at(bytes, at + 8)?,
            offset: le::u64_at(bytes, at + 9)?,
        })
    }
}

/// Reads trees.
pub(crate) struct Trees<'a> {
    pub(crate) volume: &'a Volume<'a>,
    pub(crate) superblock: &'a Superblock,
    pub(crate) chunks: &'a ChunkMap,
}

impl Trees<'_> {
    /// Calls `visit` with each item of a tree whose object is among `objects`, in order.
    pub(crate) fn each(
        &self,
        root: Root,
        objects: std::ops::RangeInclusive<u64>,
        mut visit: impl FnMut(Key, &[u8]) -> Read<()>,
    ) -> Read<()> {
        let mut visited = 0;
        let mut below = vec![root];
        while let Some(next) = below.pop() {
            visited += 1;
            ensure(visited <= NODES_MAX, "a tree has more nodes than any")?;
            let node = self.node(next)?;
            let count = index(u64::from(le::u32_at(&node, 96)?))?;
            let len = if next.level == 0 {
                ITEM_BYTES
            } else {
                POINTER_BYTES
            };
            ensure(
                count <= node.len().saturating_sub(HEADER_BYTES) / len,
                "a node has more items than room",
            )?;
            let mut children = Vec::new();
            for number in 0..count {
                let at = HEADER_BYTES + number * len;
                let key = Key::parse(&node, at)?;
                if next.level == 0 {
                    if objects.contains(&key.object) {
                        let start = index(u64::from(le::u32_at(&node, at + KEY_BYTES)?))?;
                        let size = index(u64::from(le::u32_at(&node, at + KEY_BYTES + 4)?))?;
                        visit(key, part(&node, HEADER_BYTES.saturating_add(start), size)?)?;
                    }
                    continue;
                }
                // What lies below ends where the next begins.
                let last = if number + 1 < count {
                    Key::parse(&node, at + len)?.object
                } else {
                    u64::MAX
                };
                if key.object <= *objects.end() && last >= *objects.start() {
                    children.push(Root {
                        place: le::u64_at(&node, at + KEY_BYTES)?,
                        level: next.level.saturating_sub(1),
                        generation: le::u64_at(&node, at + KEY_BYTES + 8)?,
                    });
                }
            }
            below.extend(children.into_iter().rev());
        }
        Ok(())
    }

    /// Reads a node that should have this place, level and generation.
    fn node(&self, root: Root) -> Read<Vec<u8>> {
        let place = self.chunks.place(root.place, self.superblock.node_bytes)?;
        let bytes = self.volume.read(place, self.superblock.node_bytes)?;
        check_sum(&bytes, "node")?;
        ensure(
            root.level <= LEVEL_MAX
                && part(&bytes, 32, 16)? == self.superblock.id
                && le::u64_at(&bytes, 48)? == root.place
                && le::u64_at(&bytes, 80)? == root.generation
                && u8_at(&bytes, 100)? == root.level,
            "a node is not the one that it should be",
        )?;
        Ok(bytes)
    }
}
