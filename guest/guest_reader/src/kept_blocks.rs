//! A disk whose latest blocks are kept, and read ahead where it is read from front to back.
//!
//! What the reading process needs of a disk, it has to ask for, and wait; and what it asks for comes
//! out of chunks that are fetched whole in any case. So it takes 64 KiB where it needs less, and up
//! to a megabyte once it has come by several in a row: tables of inodes, a file table, small files
//! beside each other. Long reads, which are content, pass by.

use std::sync::{Arc, Mutex, PoisonError};

use block_io::{BlockDevice, DiskError, Extent, LatestBlocks, check_range, read_blocks};

/// What is kept and read: as long as a repository's chunk, as it usually is.
const BLOCK_BYTES: u64 = 64 << 10;
/// Blocks that are kept: 32 MiB a disk.
const BLOCKS_MAX: usize = 512;
/// Most blocks that are read at once.
const BLOCKS_AT_ONCE: u64 = 16;
/// Reads from here on pass by.
const LONG_BYTES: usize = 256 << 10;
/// Places that are followed at the same time: tables here, content there.
const RUNS: usize = 4;

/// A disk, and the latest of its blocks.
pub(crate) struct KeptBlocks<D> {
    disk: D,
    kept: Mutex<Kept>,
}

struct Kept {
    blocks: LatestBlocks,
    runs: Vec<Run>,
    /// Counts the blocks that were read.
    clock: u64,
}

/// A place up to which blocks were read one behind the other.
struct Run {
    next: u64,
    /// How many blocks were read at once the last time.
    blocks: u64,
    last_used: u64,
}

impl<D: BlockDevice> KeptBlocks<D> {
    pub(crate) fn new(disk: D) -> Self {
        Self {
            disk,
            kept: Mutex::new(Kept {
                blocks: LatestBlocks::new(BLOCKS_MAX),
                runs: Vec::new(),
                clock: 0,
            }),
        }
    }

    fn block(&self, number: u64) -> Result<Arc<[u8]>, DiskError> {
        let lock = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = lock().blocks.find(number) {
            return Ok(bytes);
        }
        let blocks = lock().blocks_at_once(number);
        let offset = number * BLOCK_BYTES;
        let len_bytes = (blocks * BLOCK_BYTES).min(self.disk.size_bytes().saturating_sub(offset));
        // A megabyte at most.
        let mut bytes = vec![0; usize::try_from(len_bytes).unwrap_or(0)];
        self.disk.read_at(offset, &mut bytes)?;
        let mut kept = lock();
        let block_len = usize::try_from(BLOCK_BYTES).unwrap_or(usize::MAX);
        for (number, bytes) in (number..).zip(bytes.chunks(block_len)) {
            kept.blocks.keep(number, bytes.into());
        }
        Ok(kept.blocks.find(number).unwrap_or_else(|| Arc::from([])))
    }
}

impl Kept {
    /// Says how many blocks to read from `number` on: twice as many as the last time where that was
    /// just before, else one.
    fn blocks_at_once(&mut self, number: u64) -> u64 {
        self.clock += 1;
        let last_used = self.clock;
        if let Some(run) = self.runs.iter_mut().find(|run| run.next == number) {
            run.blocks = (run.blocks * 2).min(BLOCKS_AT_ONCE);
            run.next = number.saturating_add(run.blocks);
            run.last_used = last_used;
            return run.blocks;
        }
        if self.runs.len() >= RUNS {
            let oldest = (0..).zip(&self.runs).min_by_key(|(_, run)| run.last_used);
            if let Some(oldest) = oldest.map(|(at, _)| at) {
                self.runs.swap_remove(oldest);
            }
        }
        self.runs.push(Run {
            next: number.saturating_add(1),
            blocks: 1,
            last_used,
        });
        1
    }
}

impl<D: BlockDevice> BlockDevice for KeptBlocks<D> {
    fn size_bytes(&self) -> u64 {
        self.disk.size_bytes()
    }

    fn sector_bytes(&self) -> u32 {
        self.disk.sector_bytes()
    }

    fn physical_sector_bytes(&self) -> u32 {
        self.disk.physical_sector_bytes()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        check_range(self.size_bytes(), offset, buf.len() as u64)?;
        if buf.len() >= LONG_BYTES {
            return self.disk.read_at(offset, buf);
        }
        // What lies beside it may be damaged where it is not.
        read_blocks(BLOCK_BYTES, offset, buf, |number| self.block(number))
            .or_else(|_| self.disk.read_at(offset, buf))
    }

    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        self.disk.extent_at(offset, max_bytes)
    }
}

#[cfg(test)]
mod tests {
    use block_io::{DiskErrorKind, MemoryDisk};

    use super::*;

    /// Remembers what it is asked; a part of it cannot be read.
    struct Asked {
        disk: MemoryDisk,
        bad: std::ops::Range<u64>,
        reads: Mutex<Vec<(u64, usize)>>,
    }

    impl BlockDevice for Asked {
        fn size_bytes(&self) -> u64 {
            self.disk.size_bytes()
        }
        fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
            self.reads.lock().unwrap().push((offset, buf.len()));
            if offset < self.bad.end && offset + buf.len() as u64 > self.bad.start {
                return Err(DiskError::new(DiskErrorKind::Io, "a bad place"));
            }
            self.disk.read_at(offset, buf)
        }
        fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
            self.disk.extent_at(offset, max_bytes)
        }
    }

    fn disk(len: usize, bad: std::ops::Range<u64>) -> KeptBlocks<Asked> {
        let bytes = (0..len).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[2]);
        KeptBlocks::new(Asked {
            disk: MemoryDisk::new(bytes.collect()),
            bad,
            reads: Mutex::default(),
        })
    }

    #[test]
    fn bytes_are_those_of_the_disk_and_few_questions_get_them() {
        let len = (5 << 20) + 77;
        let disk = disk(len, 0..0);
        let all = disk.disk.disk.to_vec();
        let mut at = 0;
        while at < len {
            let mut buf = vec![0; 3000.min(len - at)];
            disk.read_at(at as u64, &mut buf).unwrap();
            assert!(buf == all[at..at + buf.len()], "{at}");
            at += buf.len();
        }
        // 1, 2, 4, 8 blocks, then 16 at once.
        assert_eq!(disk.disk.reads.lock().unwrap().len(), 9);
        let mut buf = vec![0; LONG_BYTES];
        disk.read_at(100, &mut buf).unwrap();
        assert_eq!(
            disk.disk.reads.lock().unwrap().last(),
            Some(&(100, LONG_BYTES))
        );
    }

    #[test]
    fn far_apart_nothing_is_read_ahead() {
        let disk = disk(8 << 20, 0..0);
        for at in [5 << 20, 1 << 20, 7 << 20, 3 << 20] {
            disk.read_at(at, &mut [0; 10]).unwrap();
        }
        let reads = disk.disk.reads.lock().unwrap();
        assert!(reads.iter().all(|(_, len)| *len == 64 << 10), "{reads:?}");
    }

    #[test]
    fn a_bad_place_beside_what_is_asked_for_does_no_harm() {
        let disk = disk(1 << 20, 70_000..70_001);
        let mut buf = [0; 16];
        disk.read_at(66_000, &mut buf).unwrap();
        assert_eq!(buf[..], disk.disk.disk.to_vec()[66_000..66_016]);
        assert!(disk.read_at(69_999, &mut buf).is_err());
    }

    #[test]
    fn no_more_than_so_many_blocks_are_kept() {
        let disk = disk(40 << 20, 0..0);
        for at in (0..40 << 20).step_by(16 << 10) {
            disk.read_at(at, &mut [0]).unwrap();
        }
        assert_eq!(disk.kept.lock().unwrap().blocks.count(), BLOCKS_MAX);
    }
}
