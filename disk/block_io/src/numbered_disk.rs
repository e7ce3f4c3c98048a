//! A disk that knows which one of several it is.

use crate::{BlockDevice, DiskError, Extent, Place, check_range};

/// A disk that answers [`BlockDevice::place_at`] with itself.
pub struct NumberedDisk<D> {
    disk: D,
    number: u32,
}

impl<D: BlockDevice> NumberedDisk<D> {
    /// Gives a disk its number, from 0.
    pub fn new(disk: D, number: u32) -> Self {
        Self { disk, number }
    }
}

impl<D: BlockDevice> BlockDevice for NumberedDisk<D> {
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
        self.disk.read_at(offset, buf)
    }

    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        self.disk.extent_at(offset, max_bytes)
    }

    fn place_at(&self, offset: u64, max_bytes: u64) -> Option<Place> {
        check_range(self.size_bytes(), offset, max_bytes).ok()?;
        Some(Place {
            disk: self.number,
            offset,
            len_bytes: max_bytes,
        })
    }
}
