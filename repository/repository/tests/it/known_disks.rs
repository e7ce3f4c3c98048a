//! Disks of which each sector, or each chunk, says what it holds.

use std::collections::BTreeMap;
use std::ops::Range;

use block_io::{BlockDevice, DiskError, Extent, ExtentKind};

pub(crate) const SECTOR: usize = 512;

/// A disk that knows of each sector what it holds.
#[derive(Clone)]
pub(crate) struct SectorDisk {
    pub(crate) bytes: Vec<u8>,
    kinds: Vec<ExtentKind>,
}

impl SectorDisk {
    /// Makes a disk on which nothing was ever stored.
    pub(crate) fn new(sectors: usize) -> Self {
        Self {
            bytes: vec![0; sectors * SECTOR],
            kinds: vec![ExtentKind::NotAllocated; sectors],
        }
    }

    /// Writes to, or clears, a range of sectors; returns it in bytes.
    pub(crate) fn put(&mut self, sectors: Range<usize>, kind: ExtentKind, seed: u8) -> Range<u64> {
        let sectors = sectors.start.min(self.kinds.len())..sectors.end.min(self.kinds.len());
        self.kinds[sectors.clone()].fill(kind);
        for number in sectors.clone() {
            let sector = &mut self.bytes[number * SECTOR..(number + 1) * SECTOR];
            match kind {
                ExtentKind::Data => sector.fill(seed),
                ExtentKind::Zero | ExtentKind::NotAllocated => sector.fill(0),
            }
        }
        (sectors.start * SECTOR) as u64..(sectors.end * SECTOR) as u64
    }
}

impl BlockDevice for SectorDisk {
    fn size_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        let start = usize::try_from(offset).unwrap();
        buf.copy_from_slice(&self.bytes[start..start + buf.len()]);
        Ok(())
    }
    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        let first = usize::try_from(offset).unwrap() / SECTOR;
        let kind = self.kinds[first];
        let run = self.kinds[first..]
            .iter()
            .take_while(|other| **other == kind)
            .count();
        let end = ((first + run) * SECTOR) as u64;
        Ok(Extent {
            kind,
            len_bytes: (end - offset).min(max_bytes),
        })
    }
}

/// What a chunk of a [`PatternDisk`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pattern {
    NotAllocated,
    Zero,
    Data(u64),
}

/// A disk of any size that follows from chunk numbers, with exceptions.
#[derive(Clone)]
pub(crate) struct PatternDisk {
    /// Nothing is allocated but for the exceptions. Otherwise every leaf of its map is another
    /// one; even so hardly anything of it must be read.
    pub(crate) empty: bool,
    pub(crate) size_bytes: u64,
    pub(crate) chunk_bytes: u64,
    pub(crate) exceptions: BTreeMap<u64, Pattern>,
}

impl PatternDisk {
    fn chunk(&self, number: u64) -> Pattern {
        if let Some(pattern) = self.exceptions.get(&number) {
            return *pattern;
        }
        if self.empty {
            return Pattern::NotAllocated;
        }
        let (leaf, slot) = (number / 256, number % 256);
        match slot {
            0 if leaf.is_multiple_of(64) => Pattern::Data(leaf % 3 + 1),
            // The leaf's number in bits.
            1..=32 if leaf >> (slot - 1) & 1 == 1 => Pattern::Zero,
            _ => Pattern::NotAllocated,
        }
    }
}

impl BlockDevice for PatternDisk {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        assert_eq!(offset % self.chunk_bytes, 0);
        let chunks = buf.chunks_mut(usize::try_from(self.chunk_bytes).unwrap());
        for (chunk, number) in chunks.zip(offset / self.chunk_bytes..) {
            match self.chunk(number) {
                Pattern::Data(seed) => {
                    for (word, n) in chunk.chunks_mut(8).zip(0_u64..) {
                        let noise = (seed + n).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                        word.copy_from_slice(&noise.to_le_bytes()[..word.len()]);
                    }
                }
                other => panic!("chunk {number} is {other:?} and was read"),
            }
        }
        Ok(())
    }
    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        let number = offset / self.chunk_bytes;
        let kind = match self.chunk(number) {
            Pattern::NotAllocated => ExtentKind::NotAllocated,
            Pattern::Zero => ExtentKind::Zero,
            Pattern::Data(_) => ExtentKind::Data,
        };
        let end = (number + 1) * self.chunk_bytes;
        Ok(Extent {
            kind,
            len_bytes: (end - offset).min(max_bytes),
        })
    }
}
