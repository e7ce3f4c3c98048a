//! Reading one file as a layer of a chain.

use std::sync::Arc;

use block_io::{DiskError, DiskLayer, ImageFile, LayerExtent, check_range};

use crate::field::Sector;
use crate::info::VhdxInfo;
use crate::parent_locator::ParentLocator;
use crate::replayed_file::ReplayedFile;
use crate::sector_cache::{SectorCache, SectorSource};
use crate::structure::Structure;

/// One `.vhdx` or `.avhdx` file, opened for reading.
///
/// The file is never changed: a log that was left behind is replayed in memory. Memory is bounded
/// by a few MiB whatever the disk's size, plus about 50 bytes for each 4 KiB of a log to replay.
pub struct VhdxLayer {
    structure: Structure,
    cache: SectorCache,
}

impl VhdxLayer {
    /// Opens a file. A differencing file opens without its parent.
    pub fn open(file: Arc<dyn ImageFile>) -> Result<Self, DiskError> {
        Ok(Self {
            structure: Structure::read(file)?,
            cache: SectorCache::new(),
        })
    }

    /// Returns what the file says about itself.
    pub fn info(&self) -> &VhdxInfo {
        &self.structure.info
    }

    /// Returns what a differencing file knows of its parent.
    pub fn parent_locator(&self) -> Option<&ParentLocator> {
        self.structure.parent_locator.as_ref()
    }
}

impl SectorSource for VhdxLayer {
    fn file(&self) -> &ReplayedFile {
        &self.structure.file
    }

    fn sector(&self, offset: u64) -> Result<Arc<Sector>, DiskError> {
        self.cache.get(&self.structure.file, offset)
    }
}

impl DiskLayer for VhdxLayer {
    fn size_bytes(&self) -> u64 {
        self.structure.info.size_bytes
    }

    fn sector_bytes(&self) -> u32 {
        self.structure.info.sector_bytes
    }

    fn physical_sector_bytes(&self) -> u32 {
        self.structure.info.physical_sector_bytes
    }

    fn layer_extent_at(&self, offset: u64, max_bytes: u64) -> Result<LayerExtent, DiskError> {
        let max_bytes = max_bytes.max(1);
        check_range(self.size_bytes(), offset, max_bytes)?;
        self.structure.map.extent_at(self, offset, max_bytes)
    }

    fn read_layer_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        check_range(self.size_bytes(), offset, buf.len() as u64)?;
        self.structure.map.read(self, offset, buf)
    }
}
