//! Bounded reading of a disk, and numbers in what was read.

use block_io::{BlockDevice, DiskError};

use crate::Partition;

/// Most bytes of one read.
pub(crate) const READ_MAX_BYTES: usize = 64 << 10;

/// Reads a disk within its bounds.
pub(crate) struct Reader<'a> {
    disk: &'a dyn BlockDevice,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(disk: &'a dyn BlockDevice) -> Self {
        Self { disk }
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.disk.size_bytes()
    }

    pub(crate) fn sector_bytes(&self) -> u64 {
        u64::from(self.disk.sector_bytes().clamp(512, 4096))
    }

    /// Reads up to `len_bytes`; less where the disk ends, nothing beyond it.
    pub(crate) fn read(&self, offset: u64, len_bytes: usize) -> Result<Vec<u8>, DiskError> {
        let rest = self.size_bytes().saturating_sub(offset);
        let len_bytes = len_bytes.min(READ_MAX_BYTES);
        let len_bytes = usize::try_from(rest).map_or(len_bytes, |rest| rest.min(len_bytes));
        let mut bytes = vec![0; len_bytes];
        if len_bytes > 0 {
            self.disk.read_at(offset, &mut bytes)?;
        }
        Ok(bytes)
    }

    /// Cuts a partition off at the disk's end; returns whether anything of it is on the disk.
    pub(crate) fn fit(&self, partition: &mut Partition) -> bool {
        let rest = self.size_bytes().saturating_sub(partition.offset);
        partition.len_bytes = partition.len_bytes.min(rest);
        partition.len_bytes > 0
    }
}

/// Returns `N` bytes at a place, or zeros where they are not there.
pub(crate) fn bytes_at<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    let found = bytes.get(offset..).and_then(|rest| rest.first_chunk::<N>());
    found.copied().unwrap_or([0; N])
}

pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    u16::from_le_bytes(bytes_at(bytes, offset))
}

pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(bytes_at(bytes, offset))
}

pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(bytes_at(bytes, offset))
}

/// Compares a checksum with the one that is stored. Fuzzing passes over all of them.
pub(crate) fn is_sum(made: u32, stored: u32) -> bool {
    cfg!(fuzzing) || made == stored
}
