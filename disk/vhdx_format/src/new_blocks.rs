//! Which blocks of a new image have a place, and which of their sectors were written.

use std::collections::{BTreeMap, HashMap};

use crate::bat::{BatEntry, BatLayout, BlockState};
use crate::field::{MIB, index};
use crate::sector_bitmap::{BITMAP_BYTES, fill_bits};

/// No block of a new file lies below 1 MiB, so small numbers are free to mean something else.
const UNWRITTEN: u32 = 0;
const ZERO: u32 = 1;

/// The bits of a block that was written in part.
struct Partial {
    bits: Box<[u8]>,
    missing: u64,
}

/// The block table of a new image, in memory: 4 bytes for each block, and a bitmap for each block
/// of a differencing disk that was written in part so far.
pub(crate) struct NewBlocks {
    layout: BatLayout,
    /// [`UNWRITTEN`], [`ZERO`], or the block's place in MiB.
    places: Vec<u32>,
    partial: HashMap<u64, Partial>,
    end_mib: u32,
}

impl NewBlocks {
    /// Makes the table; blocks lie from `start_bytes` of the file on, whole MiB.
    pub(crate) fn new(layout: BatLayout, start_bytes: u64) -> Self {
        Self {
            layout,
            places: vec![UNWRITTEN; index(layout.block_count())],
            partial: HashMap::new(),
            end_mib: mib(start_bytes),
        }
    }

    /// Gives every block a place, in order.
    pub(crate) fn place_all(&mut self) {
        for block in 0..self.layout.block_count() {
            self.allocate(block);
        }
    }

    /// Returns the offset in the file of a block that has one.
    pub(crate) fn find(&self, block: u64) -> Option<u64> {
        let place = self.places.get(index(block)).copied().unwrap_or(UNWRITTEN);
        (place > ZERO).then(|| u64::from(place) * MIB)
    }

    fn allocate(&mut self, block: u64) -> u64 {
        let place = self.end_mib;
        self.end_mib = place.saturating_add(mib(self.layout.block_bytes));
        if let Some(slot) = self.places.get_mut(index(block)) {
            *slot = place;
        }
        u64::from(place) * MIB
    }

    /// Returns the offset in the file of a block of a base disk, which gets one where it has none.
    pub(crate) fn touch(&mut self, block: u64) -> u64 {
        match self.find(block) {
            Some(offset) => offset,
            None => self.allocate(block),
        }
    }

    /// Notes that a whole block of a differencing disk is zero. `false`: it has a place already.
    pub(crate) fn make_zero(&mut self, block: u64) -> bool {
        match self.places.get_mut(index(block)) {
            Some(slot) if *slot <= ZERO => {
                *slot = ZERO;
                true
            }
            _ => false,
        }
    }

    /// Notes that sectors of a block of a differencing disk are written, and returns its offset.
    pub(crate) fn touch_sectors(&mut self, block: u64, first: u64, count: u64) -> u64 {
        let was_zero = self.places.get(index(block)) == Some(&ZERO);
        let (offset, fresh) = match self.find(block) {
            Some(offset) => (offset, false),
            None => (self.allocate(block), true),
        };
        if fresh && !was_zero {
            let sectors = self
                .layout
                .block_len(block)
                .div_ceil(self.layout.sector_bytes);
            let bits = vec![0; index(sectors.div_ceil(8))].into_boxed_slice();
            let missing = sectors;
            self.partial.insert(block, Partial { bits, missing });
        }
        if let Some(partial) = self.partial.get_mut(&block) {
            partial.missing -= fill_bits(&mut partial.bits, first, count, true);
            if partial.missing == 0 {
                self.partial.remove(&block);
            }
        }
        offset
    }

    /// Returns a block's entry.
    pub(crate) fn entry(&self, block: u64) -> BatEntry {
        match self.find(block) {
            Some(offset) if self.partial.contains_key(&block) => {
                BatEntry::new(BlockState::PartiallyPresent, offset)
            }
            Some(offset) => BatEntry::new(BlockState::FullyPresent, offset),
            None if self.places.get(index(block)) == Some(&ZERO) => {
                BatEntry::new(BlockState::Zero, 0)
            }
            None => BatEntry::new(BlockState::NotPresent, 0),
        }
    }

    /// Gives a place to the sector bitmap of each chunk that needs one.
    pub(crate) fn place_bitmaps(&mut self) -> BTreeMap<u64, u64> {
        let mut chunks: Vec<u64> = self
            .partial
            .keys()
            .map(|block| self.layout.first_bit(*block).0)
            .collect();
        chunks.sort_unstable();
        chunks.dedup();
        let mut places = BTreeMap::new();
        for chunk in chunks {
            places.insert(chunk, self.end_bytes());
            self.end_mib = self.end_mib.saturating_add(mib(BITMAP_BYTES));
        }
        places
    }

    /// Returns the sector bitmap of a chunk.
    pub(crate) fn bitmap(&self, chunk: u64) -> Vec<u8> {
        let mut bytes = vec![0; index(BITMAP_BYTES)];
        let first = chunk * self.layout.chunk_ratio();
        for block in first..first + self.layout.chunk_ratio() {
            if let Some(partial) = self.partial.get(&block) {
                // A block has at least 256 sectors, so its bits start on a whole byte.
                let at = index(self.layout.first_bit(block).1 / 8);
                let end = at + partial.bits.len();
                if let Some(part) = bytes.get_mut(at..end) {
                    part.copy_from_slice(&partial.bits);
                }
            }
        }
        bytes
    }

    /// Returns the length of the file in bytes.
    pub(crate) fn end_bytes(&self) -> u64 {
        u64::from(self.end_mib) * MIB
    }
}

/// A file has at most 2^47 bytes, so its MiB fit.
fn mib(bytes: u64) -> u32 {
    u32::try_from(bytes / MIB).unwrap_or(u32::MAX)
}
