//! A range of a device as a device.

use std::sync::Arc;

use block_io::{BlockDevice, DiskError, Extent, Place, check_range};

/// See [`device_part`].
struct DevicePart {
    device: Arc<dyn BlockDevice>,
    offset: u64,
    len_bytes: u64,
}

/// Cuts a range out of a device; `None` where it leaves the device.
pub(crate) fn device_part(
    device: &Arc<dyn BlockDevice>,
    offset: u64,
    len_bytes: u64,
) -> Option<Arc<dyn BlockDevice>> {
    check_range(device.size_bytes(), offset, len_bytes).ok()?;
    if offset == 0 && len_bytes == device.size_bytes() {
        return Some(Arc::clone(device));
    }
    Some(Arc::new(DevicePart {
        device: Arc::clone(device),
        offset,
        len_bytes,
    }))
}

impl BlockDevice for DevicePart {
    fn size_bytes(&self) -> u64 {
        self.len_bytes
    }

    fn sector_bytes(&self) -> u32 {
        self.device.sector_bytes()
    }

    fn physical_sector_bytes(&self) -> u32 {
        self.device.physical_sector_bytes()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        check_range(self.len_bytes, offset, buf.len() as u64)?;
        // Within the device, as `device_part` has seen.
        self.device.read_at(self.offset + offset, buf)
    }

    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        check_range(self.len_bytes, offset, max_bytes.max(1))?;
        self.device.extent_at(self.offset + offset, max_bytes)
    }

    fn place_at(&self, offset: u64, max_bytes: u64) -> Option<Place> {
        check_range(self.len_bytes, offset, max_bytes).ok()?;
        self.device.place_at(self.offset + offset, max_bytes)
    }
}
