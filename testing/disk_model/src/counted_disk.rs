//! A disk that counts how it is read.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use block_io::{BlockDevice, ByteRanges, DiskError, Extent};

/// A disk that remembers every read: what tests count, since they look at no clock.
#[derive(Debug)]
pub struct CountedDisk<D> {
    disk: D,
    most_bytes: u64,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    reads: u64,
    bytes: u64,
    since_taken: Vec<Range<u64>>,
}

impl<D: BlockDevice> CountedDisk<D> {
    /// Counts.
    pub fn new(disk: D) -> Self {
        Self::at_most(disk, u64::MAX)
    }

    /// Counts, and fails the test that reads more than `most_bytes` in all.
    pub fn at_most(disk: D, most_bytes: u64) -> Self {
        Self {
            disk,
            most_bytes,
            seen: Mutex::default(),
        }
    }

    /// Returns the disk itself, to be read without being counted.
    pub fn disk(&self) -> &D {
        &self.disk
    }

    /// Returns how often it was read.
    pub fn reads(&self) -> u64 {
        self.seen().reads
    }

    /// Returns how many bytes were read, those that were read twice counted twice.
    pub fn bytes_read(&self) -> u64 {
        self.seen().bytes
    }

    /// Returns the reads since the last call, ascending; none may overlap.
    pub fn take(&self) -> Vec<Range<u64>> {
        let mut reads = std::mem::take(&mut self.seen().since_taken);
        reads.sort_unstable_by_key(|range| range.start);
        for (one, next) in reads.iter().zip(reads.iter().skip(1)) {
            assert!(one.end <= next.start, "read twice: {one:?}, {next:?}");
        }
        reads
    }

    /// Returns what was read since the last call as a set.
    pub fn take_set(&self) -> ByteRanges {
        self.take().into_iter().collect()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: BlockDevice> BlockDevice for CountedDisk<D> {
    fn size_bytes(&self) -> u64 {
        self.disk.size_bytes()
    }

    fn sector_bytes(&self) -> u32 {
        self.disk.sector_bytes()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        let len = buf.len() as u64;
        {
            let mut seen = self.seen();
            seen.reads += 1;
            seen.bytes += len;
            seen.since_taken.push(offset..offset + len);
            assert!(
                seen.bytes <= self.most_bytes,
                "{} bytes were read, of at most {}",
                seen.bytes,
                self.most_bytes
            );
        }
        self.disk.read_at(offset, buf)
    }

    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        self.disk.extent_at(offset, max_bytes)
    }
}
