//! The volume below a file system, with a cache for its structures.

use std::sync::{Arc, Mutex, PoisonError};

use block_io::{BlockDevice, LatestBlocks, read_blocks};

use crate::{FileError, FileErrorKind, PlainRun};

/// What is read of structures at a time.
const BLOCK_BYTES: u64 = 16 << 10;
/// Blocks that are kept: 8 MiB.
const BLOCKS_MAX: usize = 512;

/// A volume. Structures are read in blocks, of which the latest are kept; content of files is not.
pub(crate) struct Volume {
    device: Arc<dyn BlockDevice>,
    kept: Mutex<LatestBlocks>,
}

impl Volume {
    pub(crate) fn new(device: Arc<dyn BlockDevice>) -> Self {
        Self {
            device,
            kept: Mutex::new(LatestBlocks::new(BLOCKS_MAX)),
        }
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.device.size_bytes()
    }

    /// Fills `buf` with a structure.
    pub(crate) fn read(&self, offset: u64, buf: &mut [u8]) -> Result<(), FileError> {
        self.check(offset, buf.len())?;
        read_blocks(BLOCK_BYTES, offset, buf, |number| self.block(number))
    }

    /// Returns a structure.
    pub(crate) fn bytes(&self, offset: u64, len: usize) -> Result<Vec<u8>, FileError> {
        self.check(offset, len)?;
        let mut bytes = vec![0; len];
        self.read(offset, &mut bytes)?;
        Ok(bytes)
    }

    /// Fills `buf` with the content of a file.
    pub(crate) fn read_content(&self, offset: u64, buf: &mut [u8]) -> Result<(), FileError> {
        self.check(offset, buf.len())?;
        Ok(self.device.read_at(offset, buf)?)
    }

    /// Says where content of a file lies that is read by [`Volume::read_content`].
    pub(crate) fn plain_run(&self, offset: u64, len_bytes: u64) -> Option<PlainRun> {
        PlainRun::of(&self.device, offset, len_bytes)
    }

    fn check(&self, offset: u64, len: usize) -> Result<(), FileError> {
        let end = u64::try_from(len)
            .ok()
            .and_then(|len| offset.checked_add(len));
        if end.is_some_and(|end| end <= self.size_bytes()) {
            Ok(())
        } else {
            Err(outside(offset, len))
        }
    }

    fn block(&self, number: u64) -> Result<Arc<[u8]>, FileError> {
        let lock = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = lock().find(number) {
            return Ok(bytes);
        }
        let offset = number * BLOCK_BYTES;
        let len = BLOCK_BYTES.min(self.size_bytes().saturating_sub(offset));
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        self.device.read_at(offset, &mut bytes)?;
        let bytes: Arc<[u8]> = bytes.into();
        lock().keep(number, Arc::clone(&bytes));
        Ok(bytes)
    }
}

fn outside(offset: u64, len: usize) -> FileError {
    FileError::new(
        FileErrorKind::Corrupt,
        format!("{len} bytes at {offset} lie outside of the volume"),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use block_io::{DiskError, Extent, MemoryDisk};

    use super::*;

    struct Counted(MemoryDisk, AtomicU64);

    impl BlockDevice for Counted {
        fn size_bytes(&self) -> u64 {
            self.0.size_bytes()
        }
        fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.read_at(offset, buf)
        }
        fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
            self.0.extent_at(offset, max_bytes)
        }
    }

    #[test]
    fn structures_are_read_once_across_blocks_and_up_to_the_end() {
        let bytes: Vec<u8> = (0..50_001_u32)
            .map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1])
            .collect();
        let disk = Arc::new(Counted(MemoryDisk::new(bytes.clone()), AtomicU64::new(0)));
        let volume = Volume::new(Arc::clone(&disk) as Arc<dyn BlockDevice>);
        for _ in 0..3 {
            assert_eq!(volume.bytes(0, 50_001).unwrap(), bytes);
            assert_eq!(volume.bytes(16_380, 10).unwrap(), bytes[16_380..16_390]);
        }
        assert_eq!(disk.1.load(Ordering::Relaxed), 4);
        for (offset, len) in [(50_000, 2), (u64::MAX, 1), (50_002, 0)] {
            let error = volume.bytes(offset, len).unwrap_err();
            assert_eq!(error.kind(), FileErrorKind::Corrupt);
        }
    }

    #[test]
    fn no_more_than_so_many_blocks_are_kept() {
        let volume = Volume::new(Arc::new(MemoryDisk::new(vec![0; 16 << 20])));
        for at in (0..16 << 20).step_by(8192) {
            volume.bytes(at, 1).unwrap();
        }
        assert_eq!(volume.kept.lock().unwrap().count(), BLOCKS_MAX);
    }
}
