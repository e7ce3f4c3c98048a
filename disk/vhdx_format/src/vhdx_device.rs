//! A file without a parent, open for changes, as a whole disk.

use block_io::{
    BlockDevice, DiskError, DiskErrorKind, DiskLayer as _, Extent, ExtentKind, LayerExtentKind,
    WritableDevice,
};

use crate::vhdx_disk::VhdxDisk;

/// A fixed or dynamic VHDX as a disk that can be changed.
pub struct VhdxDevice(VhdxDisk);

impl VhdxDevice {
    /// Takes a disk that has no parent; a differencing disk is `ParentMissing`.
    pub fn new(disk: VhdxDisk) -> Result<Self, DiskError> {
        if disk.info().has_parent {
            let message = "a differencing disk is not a whole disk without its parent";
            return Err(DiskError::new(DiskErrorKind::ParentMissing, message));
        }
        Ok(Self(disk))
    }

    /// Returns the disk as a layer.
    pub fn disk(&self) -> &VhdxDisk {
        &self.0
    }

    /// Makes everything durable and leaves a file without a log to replay.
    pub fn close(self) -> Result<(), DiskError> {
        self.0.close()
    }
}

impl BlockDevice for VhdxDevice {
    fn size_bytes(&self) -> u64 {
        self.0.size_bytes()
    }

    fn sector_bytes(&self) -> u32 {
        self.0.sector_bytes()
    }

    fn physical_sector_bytes(&self) -> u32 {
        self.0.physical_sector_bytes()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        // Without a parent, what is not in the file reads as zero.
        self.0.read_layer_at(offset, buf)
    }

    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        let extent = self.0.layer_extent_at(offset, max_bytes)?;
        let kind = match extent.kind {
            LayerExtentKind::Data => ExtentKind::Data,
            LayerExtentKind::Zero => ExtentKind::Zero,
            LayerExtentKind::Parent => ExtentKind::NotAllocated,
        };
        Ok(Extent {
            kind,
            len_bytes: extent.len_bytes,
        })
    }
}

impl WritableDevice for VhdxDevice {
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        self.0.write_layer_at(offset, data)
    }

    fn flush(&self) -> Result<(), DiskError> {
        self.0.flush()
    }
}
