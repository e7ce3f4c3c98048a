//! A bounded cache of 4 KiB sectors of metadata: the BAT and the sector bitmaps.

use std::sync::{Arc, PoisonError, RwLock};

use block_io::DiskError;

use crate::field::{SECTOR_BYTES, SECTOR_LEN, Sector, index};
use crate::replayed_file::ReplayedFile;

/// Sectors that are kept: 4 MiB. One holds the BAT of 512 blocks, or the bitmap of 32768 sectors.
const SLOTS: u64 = 1024;

type Slot = RwLock<Option<(u64, Arc<Sector>)>>;

/// Where metadata are read: through a cache, or through a journal's pending changes.
pub(crate) trait SectorSource {
    /// Returns the file that holds the payload.
    fn file(&self) -> &ReplayedFile;

    /// Returns the sector at `offset`, a multiple of 4 KiB.
    fn sector(&self, offset: u64) -> Result<Arc<Sector>, DiskError>;
}

/// Each sector has one slot, so a lookup takes one lock that nobody holds for long.
pub(crate) struct SectorCache {
    slots: Box<[Slot]>,
}

impl SectorCache {
    pub(crate) fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| RwLock::new(None)).collect(),
        }
    }

    fn slot(&self, offset: u64) -> Option<&Slot> {
        self.slots.get(index(offset / SECTOR_BYTES % SLOTS))
    }

    /// Returns the sector at `offset`, from memory or from the file.
    pub(crate) fn get(&self, file: &ReplayedFile, offset: u64) -> Result<Arc<Sector>, DiskError> {
        let slot = self.slot(offset);
        if let Some(slot) = slot
            && let Some((at, sector)) = &*slot.read().unwrap_or_else(PoisonError::into_inner)
            && *at == offset
        {
            return Ok(Arc::clone(sector));
        }
        let mut sector = [0; SECTOR_LEN];
        file.read(offset, &mut sector)?;
        let sector = Arc::new(sector);
        self.put(offset, Arc::clone(&sector));
        Ok(sector)
    }

    /// Remembers what the sector at `offset` holds now.
    pub(crate) fn put(&self, offset: u64, sector: Arc<Sector>) {
        if let Some(slot) = self.slot(offset) {
            *slot.write().unwrap_or_else(PoisonError::into_inner) = Some((offset, sector));
        }
    }
}
