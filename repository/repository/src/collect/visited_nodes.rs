//! Which map nodes were walked.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, PoisonError};

use crate::format::PackId;

const SHARDS: usize = 64;

/// Map nodes that were walked, exactly: number of the pack and offset in it, in eight bytes.
pub(crate) struct VisitedNodes {
    listed: Vec<Mutex<HashSet<u64, BuildHasherDefault<Mixer>>>>,
    /// Those whose packs have no number, since they are gone.
    unlisted: Mutex<HashSet<(PackId, u32)>>,
}

/// Keys are places, not anybody's choice: mixing them is enough.
#[derive(Default)]
pub(crate) struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        let mixed = (value ^ (value >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 29);
    }
}

impl VisitedNodes {
    pub(crate) fn new() -> Self {
        Self {
            listed: (0..SHARDS).map(|_| Mutex::default()).collect(),
            unlisted: Mutex::default(),
        }
    }

    /// Returns whether this is the first visit.
    pub(crate) fn insert(&self, pack: u32, offset: u32) -> bool {
        let shard = (offset as usize / 1024 + pack as usize) % SHARDS;
        let mut nodes = self.listed[shard]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        nodes.insert(u64::from(pack) << 32 | u64::from(offset))
    }

    /// Returns whether this is the first visit to a node of a pack that was not listed.
    pub(crate) fn insert_unlisted(&self, pack: PackId, offset: u32) -> bool {
        let mut nodes = self.unlisted.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.insert((pack, offset))
    }

    /// Returns how many nodes were walked.
    pub(crate) fn len(&self) -> u64 {
        let len = |shard: &Mutex<HashSet<_, _>>| {
            shard.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
        };
        let unlisted = self.unlisted.lock().unwrap_or_else(PoisonError::into_inner);
        self.listed.iter().map(len).sum::<u64>() + unlisted.len() as u64
    }

    /// Returns about how much memory the set takes, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        let capacity = |shard: &Mutex<HashSet<_, _>>| {
            let nodes = shard.lock().unwrap_or_else(PoisonError::into_inner);
            nodes.capacity()
        };
        // A table is filled to seven eighths, and has a byte of its own for each place.
        let capacity: usize = self.listed.iter().map(capacity).sum();
        capacity * 8 / 7 * (size_of::<u64>() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_is_visited_once_whatever_it_looks_like() {
        let nodes = VisitedNodes::new();
        for pack in 0..50 {
            for offset in (96..200_000).step_by(1024) {
                assert!(nodes.insert(pack, offset));
                assert!(!nodes.insert(pack, offset));
            }
        }
        assert_eq!(nodes.len(), 50 * 196);
    }

    #[test]
    fn a_node_takes_about_16_bytes_whatever_the_number_of_nodes() {
        // Nodes of a TiB of chunks of 64 KiB, 256 to a node, as they lie in packs.
        let nodes = VisitedNodes::new();
        let mut memory = 0.0;
        let mut steps = 0;
        for node in 0..(1u32 << 16) + (1 << 8) + 2 {
            nodes.insert(node / 2048, 96 + node % 2048 * 14_000);
            if node % 4096 == 4095 {
                memory += nodes.memory_bytes() as f64 / f64::from(node + 1);
                steps += 1;
                // A table doubles when it is full, so it may be a little less than half full.
                assert!(nodes.memory_bytes() <= 24 * (node as usize + 1), "{node}");
            }
        }
        let average = memory / f64::from(steps);
        assert!((9.0..18.0).contains(&average), "{average}");
    }
}
