//! A raw image as a layer.

use std::sync::Arc;

use block_io::{DiskError, DiskLayer, ImageFile, LayerExtent, check_range};

/// A file whose bytes are the disk. Any length will do; holes of a sparse file hold nothing.
pub struct RawLayer {
    file: Arc<dyn ImageFile>,
    size_bytes: u64,
}

impl RawLayer {
    /// Opens a raw image, or any file that is to be read like one; it may be empty.
    pub fn open(file: Arc<dyn ImageFile>) -> Result<Self, DiskError> {
        let size_bytes = file.size_bytes().map_err(|error| {
            DiskError::io(file.name(), "cannot tell the length of this file", error)
        })?;
        Ok(Self { file, size_bytes })
    }
}

impl DiskLayer for RawLayer {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn sector_bytes(&self) -> u32 {
        512
    }

    fn physical_sector_bytes(&self) -> u32 {
        4096
    }

    fn layer_extent_at(&self, offset: u64, max_bytes: u64) -> Result<LayerExtent, DiskError> {
        check_range(self.size_bytes, offset, max_bytes)?;
        self.file
            .file_extent_at(offset, max_bytes)
            .map_err(|error| {
                DiskError::io(self.file.name(), "cannot ask for holes", error).at(offset)
            })
    }

    fn read_layer_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        check_range(self.size_bytes, offset, buf.len() as u64)?;
        self.file.read_exact_at(offset, buf).map_err(|error| {
            DiskError::io(self.file.name(), "cannot read the disk's data", error).at(offset)
        })
    }
}
