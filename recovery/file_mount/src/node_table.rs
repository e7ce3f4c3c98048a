//! The numbers that the kernel knows nodes by.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::BuildHasher as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use file_view::ViewNode;

/// Most nodes that the kernel may hold at once.
pub const NODES_MAX: usize = 4 << 20;

/// The kernel's number of the top folder.
const TOP: u64 = 1;

/// Which number stands for which node, for as long as the kernel knows it.
///
/// A number is a hash under a secret key, so it is the same whenever a node is met again, and all
/// names of one file have the same; whoever makes the disk cannot make two nodes meet.
pub(crate) struct NodeTable {
    hasher: RandomState,
    known: Mutex<HashMap<u64, Known>>,
}

struct Known {
    node: ViewNode,
    /// How many times the kernel was told of it.
    lookups: u64,
}

impl NodeTable {
    pub(crate) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            known: Mutex::new(HashMap::new()),
        }
    }

    /// Returns the node's number, which the kernel is only shown.
    pub(crate) fn number(&self, node: ViewNode) -> u64 {
        match node {
            ViewNode::TOP => TOP,
            // 0 is no number, and 1 the top folder's.
            _ => self.hasher.hash_one(node).max(TOP + 1),
        }
    }

    /// Returns the node's number, which the kernel may ask by until it forgets it. `None` where it
    /// holds too many.
    pub(crate) fn remember(&self, node: ViewNode) -> Option<u64> {
        self.remember_as(self.number(node), node)
    }

    /// Returns a number of its own for a node whose kind is not known now: the kernel gives up what it
    /// has open under a number whose kind changes.
    pub(crate) fn remember_unreadable(&self, node: ViewNode) -> Option<u64> {
        let number = self.hasher.hash_one((node, "unreadable"));
        self.remember_as(number.max(TOP + 1), node)
    }

    fn remember_as(&self, mut number: u64, node: ViewNode) -> Option<u64> {
        let mut known = self.lock();
        let is_full = known.len() >= NODES_MAX;
        loop {
            match known.entry(number) {
                Entry::Occupied(mut entry) if entry.get().node == node => {
                    let entry = entry.get_mut();
                    entry.lookups = entry.lookups.saturating_add(1);
                    return Some(number);
                }
                // Two nodes with one hash: it is not said that this cannot be.
                Entry::Occupied(_) => number = number.wrapping_add(1).max(TOP + 1),
                Entry::Vacant(_) if is_full => return None,
                Entry::Vacant(entry) => {
                    entry.insert(Known { node, lookups: 1 });
                    return Some(number);
                }
            }
        }
    }

    /// Returns the node that a number stands for.
    pub(crate) fn node(&self, number: u64) -> Option<ViewNode> {
        match number {
            TOP => Some(ViewNode::TOP),
            _ => self.lock().get(&number).map(|known| known.node),
        }
    }

    /// The kernel has forgotten what it was told `lookups` times.
    pub(crate) fn forget(&self, number: u64, lookups: u64) {
        let mut known = self.lock();
        if let Entry::Occupied(mut entry) = known.entry(number) {
            let left = entry.get().lookups.saturating_sub(lookups);
            entry.get_mut().lookups = left;
            if left == 0 {
                entry.remove();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_whose_kind_is_not_known_has_a_number_of_its_own() {
        let nodes = NodeTable::new();
        let known = nodes.remember(ViewNode::TOP).unwrap();
        let unknown = nodes.remember_unreadable(ViewNode::TOP).unwrap();
        assert!(unknown > TOP && known != unknown);
        assert_eq!(nodes.remember_unreadable(ViewNode::TOP), Some(unknown));
        assert_eq!(nodes.node(unknown), Some(ViewNode::TOP));
        nodes.forget(unknown, 2);
        assert_eq!(nodes.node(unknown), None);
    }
}
