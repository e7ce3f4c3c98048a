//! A disk in memory, for tests and models.

use std::sync::{PoisonError, RwLock};

use crate::{BlockDevice, DiskError, Extent, ExtentKind, WritableDevice, check_range};

/// A disk whose bytes are one vector. Everything is data, also zeros.
#[derive(Debug, Default)]
pub struct MemoryDisk {
    bytes: RwLock<Vec<u8>>,
}

impl MemoryDisk {
    /// Makes a disk of these bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes: RwLock::new(bytes),
        }
    }

    /// Returns a copy of the bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        self.bytes
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn index(value: u64) -> usize {
    // Callers have compared the value with the length of a vector.
    usize::try_from(value).unwrap_or(usize::MAX)
}

impl BlockDevice for MemoryDisk {
    fn size_bytes(&self) -> u64 {
        self.bytes
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .len() as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        let bytes = self.bytes.read().unwrap_or_else(PoisonError::into_inner);
        check_range(bytes.len() as u64, offset, buf.len() as u64)?;
        buf.copy_from_slice(&bytes[index(offset)..index(offset) + buf.len()]);
        Ok(())
    }

    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        check_range(self.size_bytes(), offset, max_bytes.max(1))?;
        Ok(Extent {
            kind: ExtentKind::Data,
            len_bytes: max_bytes,
        })
    }
}

impl WritableDevice for MemoryDisk {
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        let mut bytes = self.bytes.write().unwrap_or_else(PoisonError::into_inner);
        check_range(bytes.len() as u64, offset, data.len() as u64)?;
        bytes[index(offset)..index(offset) + data.len()].copy_from_slice(data);
        Ok(())
    }

    fn flush(&self) -> Result<(), DiskError> {
        Ok(())
    }
}
