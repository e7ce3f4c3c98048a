//! Where the parts of a file lie. All of it is known from the size of the disk.

use block_io::{DiskError, DiskErrorKind};

/// The largest disk that is made, in bytes: 2040 GiB. Tables count sectors in 32 bits.
pub const MAX_SIZE_BYTES: u64 = 2040 << 30;

pub(crate) const SECTOR_BYTES: u64 = 512;
pub(crate) const GRAIN_BYTES: u64 = 64 << 10;
/// Entries of a grain table, as VMware has them.
pub(crate) const TABLE_ENTRIES: u64 = 512;
pub(crate) const TABLE_LEN: usize = 2048;
const TABLE_SECTORS: u64 = TABLE_ENTRIES * 4 / SECTOR_BYTES;
pub(crate) const DESCRIPTOR_SECTOR: u64 = 1;
pub(crate) const DESCRIPTOR_SECTORS: u64 = 20;

/// Where the parts of a file lie, in sectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Grain tables of either directory.
    pub(crate) tables: u64,
    directory_sectors: u64,
}

impl Layout {
    /// Returns the layout for a disk of `size_bytes`.
    ///
    /// # Errors
    ///
    /// `OutOfRange` where the size is 0, no multiple of 512, or above [`MAX_SIZE_BYTES`].
    pub(crate) fn of(size_bytes: u64) -> Result<Self, DiskError> {
        if size_bytes == 0 || !size_bytes.is_multiple_of(512) || size_bytes > MAX_SIZE_BYTES {
            let what = format!(
                "a VMDK of {size_bytes} bytes cannot be made, expected a multiple of 512 up to \
                 {MAX_SIZE_BYTES} (2040 GiB)"
            );
            return Err(DiskError::new(DiskErrorKind::OutOfRange, what).hint("make a qcow2 or raw"));
        }
        let tables = size_bytes.div_ceil(GRAIN_BYTES * TABLE_ENTRIES);
        Ok(Self {
            tables,
            directory_sectors: (tables * 4).div_ceil(SECTOR_BYTES),
        })
    }

    /// Returns where the redundant directory and the directory are; each has its tables behind it.
    pub(crate) fn directories(self) -> [u64; 2] {
        let first = DESCRIPTOR_SECTOR + DESCRIPTOR_SECTORS;
        [first, self.table(first, self.tables)]
    }

    /// Returns where table `number` of a directory is.
    pub(crate) fn table(self, directory: u64, number: u64) -> u64 {
        directory + self.directory_sectors + number * TABLE_SECTORS
    }

    /// Returns where the grains begin.
    pub(crate) fn first_grain(self) -> u64 {
        let [_, directory] = self.directories();
        self.table(directory, self.tables)
            .next_multiple_of(GRAIN_BYTES / SECTOR_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other_and_the_largest_disk_can_be_counted() {
        let layout = Layout::of(100 << 20).unwrap();
        assert_eq!((layout.tables, layout.directory_sectors), (4, 1));
        assert_eq!(layout.directories(), [21, 21 + 1 + 16]);
        assert_eq!(layout.table(38, 3), 38 + 1 + 12);
        assert_eq!(layout.first_grain(), 128);
        let largest = Layout::of(MAX_SIZE_BYTES).unwrap();
        let end = largest.first_grain() + MAX_SIZE_BYTES / SECTOR_BYTES;
        assert!(u32::try_from(end).is_ok(), "{end}");
        for size in [0, 100, MAX_SIZE_BYTES + 512] {
            assert_eq!(
                Layout::of(size).unwrap_err().kind(),
                DiskErrorKind::OutOfRange
            );
        }
    }
}
