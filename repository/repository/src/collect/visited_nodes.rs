//! Which map nodes were walked.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, PoisonError};

const SHARDS: usize = 64;

/// Map nodes that were walked, exactly: number of the pack and offset in it, in eight bytes.
pub(crate) struct VisitedNodes(Vec<Mutex<HashSet<u64, BuildHasherDefault<Mixer>>>>);

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
        Self((0..SHARDS).map(|_| Mutex::default()).collect())
    }

    /// Returns whether this is the first visit.
    pub(crate) fn insert(&self, pack: u32, offset: u32) -> bool {
        let shard = (offset as usize / 1024 + pack as usize) % SHARDS;
        let mut nodes = self.0[shard].lock().unwrap_or_else(PoisonError::into_inner);
        nodes.insert(u64::from(pack) << 32 | u64::from(offset))
    }

    /// Returns how many nodes were walked.
    pub(crate) fn len(&self) -> u64 {
        let len = |shard: &Mutex<HashSet<_, _>>| {
            shard.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
        };
        self.0.iter().map(len).sum()
    }
}
