//! Searching the trees of Btrfs, whose items are in the order of their keys.

use std::sync::Arc;

use fs_btrfs::btree::{TreeBlock, compare_keys};
use fs_btrfs::chunk::DiskKey;

use super::volume::Volume;
use crate::FileError;
use crate::posix::corrupt;

/// No tree is deeper.
const MOST_LEVELS: usize = 8;

/// The key of an item.
pub(super) struct Key;

impl Key {
    pub(super) const FIRST: DiskKey = DiskKey {
        objectid: 0,
        key_type: 0,
        offset: 0,
    };

    pub(super) fn of(objectid: u64, key_type: u8, offset: u64) -> DiskKey {
        DiskKey {
            objectid,
            key_type,
            offset,
        }
    }
}

/// Called with an item; goes on while it returns `true`.
pub(super) type VisitItem<'a> = dyn FnMut(&DiskKey, &[u8]) -> Result<bool, FileError> + 'a;

/// A tree, by where its root lies.
#[derive(Clone, Copy)]
pub(super) struct Tree<'a> {
    pub(super) volume: &'a Volume,
    pub(super) root: u64,
}

/// The way from the root to a leaf: nodes, and which of their children was taken.
struct Way(Vec<(Arc<TreeBlock>, usize)>);

impl Tree<'_> {
    /// Returns the item with a key.
    pub(super) fn item(&self, key: DiskKey) -> Result<Option<Vec<u8>>, FileError> {
        let found = self.floor(key)?;
        Ok(found
            .filter(|(there, _)| *there == key)
            .map(|(_, data)| data))
    }

    /// Returns the item with the greatest key that is not beyond one.
    pub(super) fn floor(&self, key: DiskKey) -> Result<Option<(DiskKey, Vec<u8>)>, FileError> {
        let way = self.way_to(&key)?;
        let Some((leaf, after)) = way.0.last() else {
            return Ok(None);
        };
        let Some(slot) = after.checked_sub(1) else {
            return Ok(None);
        };
        item_at(leaf, slot).map(|item| item.map(|(key, data)| (key, data.to_vec())))
    }

    /// Goes through items from a key on. Keys grow from one to the next, so a tree that leads back into
    /// itself is found out.
    pub(super) fn for_each(
        &self,
        from: DiskKey,
        visit: &mut VisitItem<'_>,
    ) -> Result<(), FileError> {
        let mut way = self.way_to(&from)?;
        // The slot is the one behind the key: the item with the key itself comes first.
        if let Some((leaf, slot)) = way.0.last_mut()
            && let Some(before) = slot.checked_sub(1)
            && item_at(leaf, before)?.is_some_and(|(key, _)| key == from)
        {
            *slot = before;
        }
        let mut last: Option<DiskKey> = None;
        loop {
            let Some((leaf, slot)) = way.0.last_mut() else {
                return Ok(());
            };
            let Some((key, data)) = item_at(leaf, *slot)? else {
                if !self.next_leaf(&mut way)? {
                    return Ok(());
                }
                continue;
            };
            *slot += 1;
            if last.is_some_and(|last| compare_keys(&last, &key).is_ge()) {
                return Err(corrupt("the keys of a tree are not in their order"));
            }
            last = Some(key);
            if !visit(&key, data)? {
                return Ok(());
            }
        }
    }

    /// Goes down to the leaf where a key is or would be; its slot is the one behind.
    fn way_to(&self, key: &DiskKey) -> Result<Way, FileError> {
        let mut way = Way(Vec::with_capacity(MOST_LEVELS));
        let mut node = self.volume.node(self.root, None)?;
        loop {
            let Some(children) = node.body.key_ptrs() else {
                let items = node.body.items().unwrap_or_default();
                let after = items.partition_point(|item| compare_keys(&item.key, key).is_le());
                way.0.push((node, after));
                return Ok(way);
            };
            let after = children.partition_point(|child| compare_keys(&child.key, key).is_le());
            let slot = after.saturating_sub(1);
            let next = self.child(&node, slot, way.0.len())?;
            way.0.push((node, slot));
            node = next;
        }
    }

    fn child(
        &self,
        node: &TreeBlock,
        slot: usize,
        depth: usize,
    ) -> Result<Arc<TreeBlock>, FileError> {
        let child = node.body.key_ptrs().and_then(|children| children.get(slot));
        let child = child.ok_or_else(|| corrupt("a node of a tree has no children"))?;
        let next = self.volume.node(child.blockptr, Some(child.generation))?;
        let is_below = node.header.level.checked_sub(1) == Some(next.header.level);
        if !is_below || next.body.is_empty() || depth + 1 >= MOST_LEVELS {
            return Err(corrupt("a tree does not get to its leaves"));
        }
        Ok(next)
    }

    fn next_leaf(&self, way: &mut Way) -> Result<bool, FileError> {
        way.0.pop();
        while let Some((node, slot)) = way.0.last_mut() {
            *slot += 1;
            if *slot >= node.body.len() {
                way.0.pop();
                continue;
            }
            let (mut node, mut slot) = (Arc::clone(node), *slot);
            // Down to the first leaf below.
            loop {
                let next = self.child(&node, slot, way.0.len() - 1)?;
                let is_leaf = next.is_leaf();
                way.0.push((Arc::clone(&next), 0));
                if is_leaf {
                    return Ok(true);
                }
                (node, slot) = (next, 0);
            }
        }
        Ok(false)
    }
}

fn item_at(leaf: &TreeBlock, slot: usize) -> Result<Option<(DiskKey, &[u8])>, FileError> {
    let Some(item) = leaf.body.items().and_then(|items| items.get(slot)) else {
        return Ok(None);
    };
    let data = leaf.item_data(item);
    let data = data.ok_or_else(|| corrupt("an item of a leaf lies outside it"))?;
    Ok(Some((item.key, data)))
}
