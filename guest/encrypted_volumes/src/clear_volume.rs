//! The volume behind the cipher.

use std::sync::Arc;

use block_io::{BlockDevice, DiskError, DiskErrorKind, Extent, ExtentKind, check_range};

use crate::whole_sectors;
use crate::xts::XtsKey;

/// An open volume.
pub(crate) struct ClearVolume {
    pub(crate) volume: Arc<dyn BlockDevice>,
    pub(crate) key: XtsKey,
    /// Where the payload begins on the volume, in bytes.
    pub(crate) offset: u64,
    /// How long it is, in bytes: whole sectors.
    pub(crate) size_bytes: u64,
    pub(crate) sector_bytes: u32,
    /// The number of the first unit of 512 bytes.
    pub(crate) first_unit: u64,
}

impl ClearVolume {
    /// Reads whole sectors.
    fn read_sectors(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        // Within the volume: whoever made this has compared.
        self.volume.read_at(self.offset + offset, buf)?;
        let unit = self.first_unit.wrapping_add(offset / 512);
        self.key
            .decrypt(unit, buf)
            .ok_or_else(|| DiskError::new(DiskErrorKind::Corrupt, "decrypting failed").at(offset))
    }
}

impl BlockDevice for ClearVolume {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn sector_bytes(&self) -> u32 {
        self.sector_bytes.max(self.volume.sector_bytes())
    }

    fn physical_sector_bytes(&self) -> u32 {
        self.volume.physical_sector_bytes()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        check_range(self.size_bytes, offset, buf.len() as u64)?;
        whole_sectors::read(self.sector_bytes, offset, buf, |at, part| {
            self.read_sectors(at, part)
        })
    }

    /// All of it is data: zeros of the disk are not zeros of what is encrypted on it.
    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        check_range(self.size_bytes, offset, max_bytes.max(1))?;
        Ok(Extent {
            kind: ExtentKind::Data,
            len_bytes: max_bytes,
        })
    }
}
