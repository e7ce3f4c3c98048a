//! A whole virtual disk.

use crate::{DiskError, DiskErrorKind, Extent, Place};

/// A whole virtual disk, whatever it is made of.
///
/// | Implementor | What |
/// |---|---|
/// | [`crate::LayeredDisk`] | a raw, VHD or VHDX file, or a chain of them |
/// | `repository::RepositoryDisk` | a disk in a restore point |
/// | [`crate::MemoryDisk`] | tests |
///
/// Implementors check every range with [`check_range`] before they touch anything.
pub trait BlockDevice: Send + Sync {
    /// Returns the size of the disk in bytes.
    fn size_bytes(&self) -> u64;

    /// Returns the logical sector size in bytes: 512 or 4096.
    fn sector_bytes(&self) -> u32 {
        512
    }

    /// Returns the physical sector size in bytes: 512 or 4096.
    fn physical_sector_bytes(&self) -> u32 {
        4096
    }

    /// Fills `buf` from `offset`. What is zero or not allocated reads as zero.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError>;

    /// Says what lies at `offset`, as one extent of 1 to `max_bytes` bytes.
    ///
    /// It need not be maximal: the next extent may be of the same kind.
    /// `max_bytes` is at least 1, and `offset + max_bytes` lies inside the disk.
    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError>;

    /// Says on which of several disks the bytes at `offset` lie as they are, 1 to `max_bytes` of them:
    /// reading there gives what [`BlockDevice::read_at`] gives here, if it gives anything.
    ///
    /// `None` where that is not so (they are encrypted, say), or where the disks below have no numbers.
    /// It need not be maximal, and the arguments are those of [`BlockDevice::extent_at`].
    fn place_at(&self, _offset: u64, _max_bytes: u64) -> Option<Place> {
        None
    }
}

/// A virtual disk that can be changed in place.
pub trait WritableDevice: BlockDevice {
    /// Writes `data` at `offset`.
    ///
    /// After an error the device is poisoned: every later write and flush fails.
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), DiskError>;

    /// Returns once everything written so far would survive a power cut.
    fn flush(&self) -> Result<(), DiskError>;
}

/// A new image that is being filled.
///
/// Several threads may write disjoint ranges, in any order. What is not written reads as zero.
/// Before [`NewImage::finish`] the file does not open as an image; an image that is dropped
/// without it is not one.
pub trait NewImage: Send + Sync {
    /// Returns the size of the disk in bytes.
    fn size_bytes(&self) -> u64;

    /// Writes `data` at `offset` of the disk.
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), DiskError>;

    /// Writes what makes the file an image and returns once it is durable.
    fn finish(self: Box<Self>) -> Result<(), DiskError>;
}

/// Fails unless `offset .. offset + len_bytes` lies inside a disk of `size_bytes`.
pub fn check_range(size_bytes: u64, offset: u64, len_bytes: u64) -> Result<(), DiskError> {
    match offset.checked_add(len_bytes) {
        Some(end) if end <= size_bytes => Ok(()),
        _ => Err(DiskError::new(
            DiskErrorKind::OutOfRange,
            format!("{len_bytes} bytes at {offset} leave the disk of {size_bytes} bytes"),
        )),
    }
}

impl<T: BlockDevice + ?Sized> BlockDevice for std::sync::Arc<T> {
    fn size_bytes(&self) -> u64 {
        (**self).size_bytes()
    }
    fn sector_bytes(&self) -> u32 {
        (**self).sector_bytes()
    }
    fn physical_sector_bytes(&self) -> u32 {
        (**self).physical_sector_bytes()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        (**self).read_at(offset, buf)
    }
    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        (**self).extent_at(offset, max_bytes)
    }
    fn place_at(&self, offset: u64, max_bytes: u64) -> Option<Place> {
        (**self).place_at(offset, max_bytes)
    }
}
