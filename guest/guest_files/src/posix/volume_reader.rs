//! Reads a volume: what is small through a cache, what is large straight into the caller's buffer.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use block_io::BlockDevice;

use super::corrupt;
use crate::{FileError, PlainRun};

/// What the cache holds at most.
const CACHE_BYTES: usize = 8 << 20;
/// From this length on a read goes past the cache.
const LARGE_BYTES: usize = 16 << 10;

/// A block whose last version lies elsewhere, in a journal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MovedBlock {
    /// Where that is on the volume, in bytes.
    pub(crate) offset: u64,
    /// Its first four bytes, where the journal could not store them.
    pub(crate) head: Option<[u8; 4]>,
    /// What its bytes must give.
    pub(crate) checksum: Option<BlockChecksum>,
}

/// A CRC-32C that is checked when a block is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockChecksum {
    /// What the computation goes on from.
    pub(crate) seed: u32,
    /// What it must give.
    pub(crate) expected: u32,
    /// Which of its bits are stored.
    pub(crate) mask: u32,
}

/// A volume, and what a journal says of it.
pub(crate) struct VolumeReader {
    device: Arc<dyn BlockDevice>,
    page_bytes: usize,
    moved: BTreeMap<u64, MovedBlock>,
    moved_bytes: u32,
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    by_offset: HashMap<u64, Arc<[u8]>>,
    order: VecDeque<u64>,
}

impl VolumeReader {
    /// Reads through pages of `page_bytes`, which is what is fetched at once: small enough that a
    /// listing reads little, large enough that a table's neighbors come along.
    pub(crate) fn new(device: Arc<dyn BlockDevice>, page_bytes: usize) -> Self {
        Self {
            device,
            page_bytes,
            moved: BTreeMap::new(),
            moved_bytes: 0,
            pages: Mutex::default(),
        }
    }

    /// Reads blocks of `block_bytes` from where a journal has them.
    pub(crate) fn with_moved(self, moved: BTreeMap<u64, MovedBlock>, block_bytes: u32) -> Self {
        Self {
            moved,
            moved_bytes: block_bytes,
            pages: Mutex::default(),
            page_bytes: self.page_bytes,
            device: self.device,
        }
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.device.size_bytes()
    }

    /// Fills `buf` from `offset` of the volume.
    pub(crate) fn read(&self, offset: u64, buf: &mut [u8]) -> Result<(), FileError> {
        self.check(offset, buf.len())?;
        if buf.len() >= LARGE_BYTES {
            return self.read_past_cache(offset, buf);
        }
        let mut done = 0;
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = offset + u64::try_from(done).unwrap_or(u64::MAX);
            let start = at - at % self.page_len();
            let page = self.page(start)?;
            let skip = usize::try_from(at - start).unwrap_or(usize::MAX);
            let found = page.get(skip..).unwrap_or_default();
            let len = found.len().min(rest.len());
            if len == 0 {
                return Err(corrupt("a page of the volume is short"));
            }
            let (target, source) = (rest.get_mut(..len), found.get(..len));
            if let (Some(target), Some(source)) = (target, source) {
                target.copy_from_slice(source);
            }
            done += len;
        }
        Ok(())
    }

    /// Returns `len` bytes at `offset`; `len` is the caller's, never one that was read.
    pub(crate) fn bytes(&self, offset: u64, len: usize) -> Result<Vec<u8>, FileError> {
        self.check(offset, len)?;
        let mut bytes = vec![0; len];
        self.read(offset, &mut bytes)?;
        Ok(bytes)
    }

    /// Says where bytes lie which no journal has a later version of.
    pub(crate) fn plain_run(&self, offset: u64, len_bytes: u64) -> Option<PlainRun> {
        let block = u64::from(self.moved_bytes).max(1);
        let moved = self.moved.range(offset / block..).next();
        let end = moved.map_or(u64::MAX, |(number, _)| number.saturating_mul(block));
        PlainRun::of(
            &self.device,
            offset,
            len_bytes.min(end.saturating_sub(offset)),
        )
    }

    fn check(&self, offset: u64, len: usize) -> Result<(), FileError> {
        let end = u64::try_from(len)
            .ok()
            .and_then(|len| offset.checked_add(len));
        match end {
            Some(end) if end <= self.device.size_bytes() => Ok(()),
            _ => Err(corrupt(format!(
                "the file system points to {len} bytes at {offset}, beyond its volume"
            ))),
        }
    }

    fn page(&self, start: u64) -> Result<Arc<[u8]>, FileError> {
        if let Some(page) = self.lock().by_offset.get(&start) {
            return Ok(page.clone());
        }
        let len = self.page_len().min(self.device.size_bytes() - start);
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        self.read_past_cache(start, &mut bytes)?;
        let page: Arc<[u8]> = bytes.into();
        let mut pages = self.lock();
        if pages.by_offset.insert(start, page.clone()).is_none() {
            pages.order.push_back(start);
        }
        while pages.order.len() > CACHE_BYTES / self.page_bytes {
            if let Some(oldest) = pages.order.pop_front() {
                pages.by_offset.remove(&oldest);
            }
        }
        Ok(page)
    }

    fn read_past_cache(&self, offset: u64, buf: &mut [u8]) -> Result<(), FileError> {
        self.device.read_at(offset, buf)?;
        if self.moved.is_empty() {
            return Ok(());
        }
        let block = u64::from(self.moved_bytes);
        let end = offset + u64::try_from(buf.len()).unwrap_or(0);
        for (number, moved) in self.moved.range(offset / block..end.div_ceil(block)) {
            let bytes = self.moved_block(moved)?;
            let start = number * block;
            let from = start.max(offset);
            let to = (start + block).min(end);
            let place = |at: u64, base: u64| usize::try_from(at - base).unwrap_or(usize::MAX);
            let target = buf.get_mut(place(from, offset)..place(to, offset));
            let source = bytes.get(place(from, start)..place(to, start));
            if let (Some(target), Some(source)) = (target, source) {
                target.copy_from_slice(source);
            }
        }
        Ok(())
    }

    fn moved_block(&self, moved: &MovedBlock) -> Result<Vec<u8>, FileError> {
        let len = usize::try_from(self.moved_bytes).unwrap_or(0);
        self.check(moved.offset, len)?;
        let mut bytes = vec![0; len];
        self.device.read_at(moved.offset, &mut bytes)?;
        if let Some(check) = moved.checksum {
            let found = !crc32c::crc32c_append(!check.seed, &bytes);
            if (found ^ check.expected) & check.mask != 0 {
                return Err(corrupt("a block of the journal has another checksum"));
            }
        }
        if let (Some(head), Some(start)) = (moved.head, bytes.first_chunk_mut::<4>()) {
            *start = head;
        }
        Ok(bytes)
    }

    fn page_len(&self) -> u64 {
        u64::try_from(self.page_bytes).unwrap_or(1)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Pages> {
        // Pages are put in whole: one that panicked left nothing half done.
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use block_io::MemoryDisk;

    use super::*;

    fn counting(len: usize) -> VolumeReader {
        let bytes: Vec<u8> = (0..len).map(|at| (at % 251).try_into().unwrap()).collect();
        VolumeReader::new(Arc::new(MemoryDisk::new(bytes)), 16 << 10)
    }

    #[test]
    fn small_and_large_reads_give_the_same() {
        let reader = counting(100 << 10);
        let mut large = vec![0; 40_000];
        reader.read(30_000, &mut large).unwrap();
        let small: Vec<u8> = (0..40)
            .flat_map(|part| reader.bytes(30_000 + part * 1000, 1000).unwrap())
            .collect();
        assert_eq!(small, large);
        assert!(reader.read((100 << 10) - 10, &mut [0; 11]).is_err());
    }

    #[test]
    fn a_moved_block_is_read_from_where_it_is_also_in_part() {
        let moved = MovedBlock {
            offset: 51_200,
            head: Some(*b"head"),
            checksum: None,
        };
        let reader = counting(100 << 10).with_moved(BTreeMap::from([(20, moved)]), 1024);
        let plain = counting(100 << 10);
        assert_eq!(reader.bytes(20_480, 4).unwrap(), b"head");
        let there = plain.bytes(51_204, 1020).unwrap();
        assert_eq!(reader.bytes(20_484, 1020).unwrap(), there);
        let mut large = vec![0; 20_000];
        reader.read(20_490, &mut large).unwrap();
        assert_eq!(large[..1014], there[6..]);
        assert_eq!(large[1014..1024], plain.bytes(21_504, 10).unwrap());
    }

    #[test]
    fn a_moved_block_with_another_checksum_is_damage() {
        let checksum = BlockChecksum {
            seed: 1,
            expected: 7,
            mask: !0,
        };
        let moved = MovedBlock {
            offset: 0,
            head: None,
            checksum: Some(checksum),
        };
        let reader = counting(8192).with_moved(BTreeMap::from([(1, moved)]), 1024);
        assert!(reader.bytes(1024, 8).is_err());
    }
}
