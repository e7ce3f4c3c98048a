//! The part of an earlier map that a change touches.

use std::collections::HashMap;
use std::ops::Range;

use block_io::ByteRanges;

use crate::RepositoryError;
use crate::format::{Codec, Entry, EntryKind, MapNode};
use crate::read::{MapReader, MapRoot};
use crate::write::RunWriter;
use crate::write::known_chunks::KnownChunks;

/// The nodes of an earlier map above the leaves that a change touches, and the numbers of these
/// leaves. Nothing else of the map is read.
pub(crate) struct ChangedTree<'a> {
    map: &'a MapReader,
    /// Children before their parents.
    nodes: Vec<OpenNode>,
    /// Leaves that are touched, ascending.
    pub(crate) leaves: Vec<u64>,
}

/// Which parts of an earlier map are looked at.
pub(crate) struct Touch<'a> {
    /// What the source calls changed.
    pub(crate) changed: &'a ByteRanges,
    /// Whole chunks that are left out now: what is stored of them is let go.
    pub(crate) skip: &'a ByteRanges,
    /// The earlier stream left something out: what is not left out any more is read, and only the
    /// map says where that is.
    pub(crate) skipped_before: bool,
}

impl Touch<'_> {
    /// Says whether what the source calls changed is all that is looked at.
    pub(crate) fn is_change_alone(&self) -> bool {
        self.skip.is_empty() && !self.skipped_before
    }

    /// Says whether anything may have to be looked at in `span`, of which the map has `entry`.
    fn reaches(&self, span: Range<u64>, entry: &Entry) -> bool {
        self.changed.intersects(span.clone())
            || match entry.kind() {
                EntryKind::Stored => self.skipped_before || self.skip.intersects(span),
                EntryKind::Skipped => !self.skip.covers(span),
                EntryKind::NotAllocated | EntryKind::Zero => false,
            }
    }
}

/// A node above the leaves, some of whose children are touched.
struct OpenNode {
    index: u64,
    /// What its parent has of it.
    entry: Entry,
    node: MapNode,
}

impl<'a> ChangedTree<'a> {
    /// Reads the nodes on the way to what `touch` names.
    ///
    /// `None`: one of them cannot be read, or a child that would be shared lies in a pack that is
    /// not there, so the map cannot be trusted unread.
    pub(crate) fn open(map: &'a MapReader, touch: &Touch<'_>, known: &KnownChunks) -> Option<Self> {
        let mut tree = Self {
            map,
            nodes: Vec::new(),
            leaves: Vec::new(),
        };
        if let Some(root) = map.root() {
            let entry = Entry::Stored {
                name: root.name,
                locator: root.locator,
            };
            tree.open_below(root.level, 0, entry, touch, known)?;
        }
        Some(tree)
    }

    /// Opens what is touched of a node and all below it. At most seven deep.
    fn open_below(
        &mut self,
        level: u8,
        index: u64,
        entry: Entry,
        touch: &Touch<'_>,
        known: &KnownChunks,
    ) -> Option<()> {
        if !touch.reaches(self.map.shape.span(level, index), &entry) {
            return known.holds(&entry).then_some(());
        }
        let Some(below) = level.checked_sub(1) else {
            self.leaves.push(index);
            return Some(());
        };
        let node = match entry {
            Entry::Stored { name, locator } => {
                let node = self.map.node(level, index, name, locator).ok()?;
                MapNode::clone(&node)
            }
            uniform => MapNode {
                level,
                entries: vec![uniform; self.map.shape.entries(level, index)],
            },
        };
        for (slot, child) in node.entries.iter().enumerate() {
            self.open_below(below, index * 256 + slot as u64, *child, touch, known)?;
        }
        self.nodes.push(OpenNode { index, entry, node });
        Some(())
    }

    /// Stores the nodes again with the new leaves; returns the root and the bytes that were
    /// stored.
    ///
    /// `entries` are the touched leaves as their parents' entries. A node that is as it was stays
    /// where it is.
    pub(crate) fn close(
        self,
        run: &RunWriter,
        entries: Vec<Entry>,
    ) -> Result<(Option<MapRoot>, u64), RepositoryError> {
        let shape = self.map.shape;
        let root_level = shape.root_level();
        if self.leaves.is_empty() {
            return Ok((self.map.root(), 0));
        }
        if root_level == 0 {
            return run.build_upper_levels(shape, entries);
        }
        let mut codec = Codec::new()?;
        let mut stored_bytes = 0;
        let mut root = None;
        let leaves = self.leaves.into_iter().map(|leaf| (0, leaf));
        let mut done: HashMap<(u8, u64), Entry> = leaves.zip(entries).collect();
        for OpenNode { index, entry, node } in self.nodes {
            let mut new = node.clone();
            for (child, number) in new.entries.iter_mut().zip(index * 256..) {
                if let Some(entry) = done.remove(&(node.level - 1, number)) {
                    *child = entry;
                }
            }
            let (entry, stored) = match (entry, new.uniform()) {
                (Entry::Stored { .. }, _) if new == node && run.known().holds(&entry) => (entry, 0),
                (_, Some(uniform)) if node.level < root_level => (uniform, 0),
                _ => run.store_node(&new, &mut codec)?,
            };
            stored_bytes += stored;
            if let (true, Entry::Stored { name, locator }) = (node.level == root_level, entry) {
                root = Some(MapRoot {
                    level: root_level,
                    name,
                    locator,
                });
            }
            done.insert((node.level, index), entry);
        }
        Ok((root, stored_bytes))
    }
}
