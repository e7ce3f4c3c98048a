//! What differs between two restore points, found without reading equal parts.

use serde::Serialize;

use crate::format::Entry;
use crate::read::{MapReader, MapShape};
use crate::stream::Stream;
use crate::{Repository, RepositoryError};

/// How a range differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DifferenceKind {
    /// Both hold data, and it differs; or data stands where zeros were.
    Changed,
    /// Zeros, or nothing, stand where data was.
    Cleared,
    /// Both read as zero, but one of them knows another reason.
    ReadsTheSame,
}

/// A range that differs, in whole chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Offset in the stream in bytes.
    pub offset: u64,
    /// Length in bytes.
    pub len_bytes: u64,
    /// How it differs.
    pub kind: DifferenceKind,
}

impl Repository {
    /// Compares two streams and returns the ranges in which `new` differs from `old`, in order.
    ///
    /// Parts of equal name are not entered, so the work follows the difference, not the size.
    pub fn compare_streams(
        &self,
        old: &Stream,
        new: &Stream,
    ) -> Result<Vec<Difference>, RepositoryError> {
        let (old_map, new_map) = (self.open_map(old)?, self.open_map(new)?);
        let mut comparison = Comparison {
            old: &old_map,
            new: &new_map,
            found: Vec::new(),
        };
        match (&old.root, &new.root) {
            (Some(a), Some(b)) if a.name() == b.name() && old.size_bytes == new.size_bytes => {}
            (Some(a), Some(b)) if old_map.shape.root_level() == new_map.shape.root_level() => {
                let (a, b) = (a.to_map()?, b.to_map()?);
                let entry = |root: crate::read::MapRoot| Entry::Stored {
                    name: root.name,
                    locator: root.locator,
                };
                comparison.subtree(a.level, 0, entry(a), entry(b))?;
            }
            // Another number of levels: the leaves tell.
            _ => {
                for leaf in 0..old_map.shape.leaves().max(new_map.shape.leaves()) {
                    comparison.leaf(leaf)?;
                }
            }
        }
        Ok(comparison.found)
    }
}

struct Comparison<'a> {
    old: &'a MapReader,
    new: &'a MapReader,
    found: Vec<Difference>,
}

impl Comparison<'_> {
    fn shape(&self) -> MapShape {
        let (old, new) = (self.old.shape, self.new.shape);
        if old.size_bytes > new.size_bytes {
            old
        } else {
            new
        }
    }

    /// Compares what two entries of the level above `level` cover. At most seven deep.
    fn subtree(
        &mut self,
        level: u8,
        index: u64,
        old: Entry,
        new: Entry,
    ) -> Result<(), RepositoryError> {
        let equal = match (old, new) {
            // Equal names mean equal content, also where the entries are fewer than 256.
            (Entry::Stored { name: a, .. }, Entry::Stored { name: b, .. }) => a == b,
            (old, new) => old.kind() == new.kind() && self.same_extent(level, index),
        };
        if equal {
            return Ok(());
        }
        let Some(below) = level.checked_sub(1) else {
            return self.leaf(index);
        };
        let children = |map: &MapReader, entry: Entry| match entry {
            Entry::Stored { name, locator } => map.node(level, index, name, locator).map(Some),
            _ => Ok(None),
        };
        let (old_node, new_node) = (children(self.old, old)?, children(self.new, new)?);
        for slot in 0..self.shape().entries(level, index) {
            let child =
                |node: &Option<std::sync::Arc<crate::format::MapNode>>, entry: Entry| match node {
                    Some(node) => node
                        .entries
                        .get(slot)
                        .copied()
                        .unwrap_or(Entry::NotAllocated),
                    None => entry,
                };
            let (old, new) = (child(&old_node, old), child(&new_node, new));
            self.subtree(below, index * 256 + slot as u64, old, new)?;
        }
        Ok(())
    }

    fn same_extent(&self, level: u8, index: u64) -> bool {
        self.old.shape.entries(level, index) == self.new.shape.entries(level, index)
    }

    fn leaf(&mut self, index: u64) -> Result<(), RepositoryError> {
        let shape = self.shape();
        let (old, new) = (self.old.leaf(index)?, self.new.leaf(index)?);
        for slot in 0..shape.entries(0, index) {
            let chunk = index * 256 + slot as u64;
            let inside = |map: &MapReader| chunk < map.shape.chunks();
            let at = |map: &MapReader, leaf: &crate::read::Leaf| {
                if inside(map) {
                    leaf.entry(slot)
                } else {
                    Entry::NotAllocated
                }
            };
            let (a, b) = (at(self.old, &old), at(self.new, &new));
            let kind = match (a, b) {
                (Entry::Stored { name: a, .. }, Entry::Stored { name: b, .. }) if a == b => {
                    continue;
                }
                (_, Entry::Stored { .. }) => DifferenceKind::Changed,
                (Entry::Stored { .. }, _) => DifferenceKind::Cleared,
                (a, b) if a.kind() == b.kind() && inside(self.old) == inside(self.new) => continue,
                _ => DifferenceKind::ReadsTheSame,
            };
            self.add(
                chunk * shape.chunk_bytes,
                shape.chunk_len(chunk) as u64,
                kind,
            );
        }
        Ok(())
    }

    fn add(&mut self, offset: u64, len_bytes: u64, kind: DifferenceKind) {
        if let Some(last) = self.found.last_mut()
            && last.offset + last.len_bytes == offset
            && last.kind == kind
        {
            last.len_bytes += len_bytes;
            return;
        }
        self.found.push(Difference {
            offset,
            len_bytes,
            kind,
        });
    }
}
