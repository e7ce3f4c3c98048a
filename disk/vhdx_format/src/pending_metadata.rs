//! The BAT and the sector bitmaps as they will be after the next commit, and changes to them.

use std::sync::Arc;

use block_io::DiskError;

use crate::bat::{BatEntry, BlockState};
use crate::block_map::{BlockMap, Placement};
use crate::field::{SECTOR_BYTES, Sector, index, put};
use crate::journal::{Journal, write_zeros};
use crate::replayed_file::ReplayedFile;
use crate::sector_bitmap::{BITMAP_BYTES, fill_bits};
use crate::sector_cache::{SectorCache, SectorSource};

/// Bits in one sector of a bitmap.
const BITS_PER_SECTOR: u64 = SECTOR_BYTES * 8;

/// Metadata as they will be after the next commit: the journal over the cache over the file.
///
/// `J` is `&Journal` to look, `&mut Journal` to change.
pub(crate) struct PendingMetadata<'a, J> {
    pub(crate) map: &'a BlockMap,
    pub(crate) file: &'a ReplayedFile,
    pub(crate) cache: &'a SectorCache,
    pub(crate) journal: J,
}

impl<J: std::borrow::Borrow<Journal>> SectorSource for PendingMetadata<'_, J> {
    fn file(&self) -> &ReplayedFile {
        self.file
    }

    fn sector(&self, offset: u64) -> Result<Arc<Sector>, DiskError> {
        match self.journal.borrow().pending(offset) {
            Some(sector) => Ok(sector),
            None => self.cache.get(self.file, offset),
        }
    }
}

impl<J: std::borrow::Borrow<Journal>> PendingMetadata<'_, J> {
    /// Says where `block` is.
    pub(crate) fn place(&self, block: u64) -> Result<Placement, DiskError> {
        self.map.place(self, block)
    }
}

impl PendingMetadata<'_, &mut Journal> {
    /// Makes room for more changes: commits where many are pending.
    pub(crate) fn make_room(&mut self) -> Result<(), DiskError> {
        if self.journal.is_full() {
            self.journal.commit(self.cache)?;
        }
        Ok(())
    }

    /// Returns the offset of a zeroed block that nobody sees yet.
    pub(crate) fn allocate(&mut self, block: u64) -> Result<u64, DiskError> {
        let layout = &self.map.layout;
        let entry = self.map.entry(self, layout.payload_index(block))?;
        let kept = matches!(
            entry.state(),
            Some(BlockState::Undefined | BlockState::Unmapped)
        ) && entry.offset() != 0;
        if kept {
            // The block kept its place; what it held must not come back.
            write_zeros(self.journal, entry.offset(), layout.block_bytes)?;
            return Ok(entry.offset());
        }
        self.extend(layout.block_bytes)
    }

    fn extend(&mut self, len_bytes: u64) -> Result<u64, DiskError> {
        let offset = self.journal.extend(len_bytes)?;
        self.file.grow(self.journal.file_bytes);
        Ok(offset)
    }

    /// Makes a block partially present with no sector yet.
    pub(crate) fn make_partial(&mut self, block: u64, offset: u64) -> Result<(), DiskError> {
        let layout = self.map.layout;
        let (chunk, _) = layout.first_bit(block);
        let number = layout.bitmap_index(chunk);
        if self.map.entry(self, number)?.state() == Some(BlockState::NotPresent) {
            let bitmap = self.extend(BITMAP_BYTES)?;
            self.set_entry(number, BatEntry::new(BlockState::FullyPresent, bitmap))?;
        }
        self.set_block(block, BatEntry::new(BlockState::PartiallyPresent, offset))?;
        // Bits of a block that was not partially present may be anything.
        self.set_bits(block, 0, layout.block_bytes / layout.sector_bytes, false)
    }

    /// Changes the entry of a block.
    pub(crate) fn set_block(&mut self, block: u64, entry: BatEntry) -> Result<(), DiskError> {
        self.set_entry(self.map.layout.payload_index(block), entry)
    }

    fn set_entry(&mut self, number: u64, entry: BatEntry) -> Result<(), DiskError> {
        let at = self.map.entry_offset(number);
        let inside = at % SECTOR_BYTES;
        let now = self.sector(at - inside)?;
        let bytes = entry.0.to_le_bytes();
        self.journal.change(at - inside, now, |sector| {
            put(sector, index(inside), &bytes);
        });
        Ok(())
    }

    /// Sets or clears the bits of sectors of a partially present block.
    pub(crate) fn set_bits(
        &mut self,
        block: u64,
        first: u64,
        count: u64,
        value: bool,
    ) -> Result<(), DiskError> {
        let Placement::Partial {
            bitmap, first_bit, ..
        } = self.place(block)?
        else {
            // Meanwhile another thread made the whole block present.
            return Ok(());
        };
        let end = first_bit + first + count;
        let mut bit = first_bit + first;
        while bit < end {
            let inside = bit % BITS_PER_SECTOR;
            let len = (BITS_PER_SECTOR - inside).min(end - bit);
            let offset = bitmap + bit / BITS_PER_SECTOR * SECTOR_BYTES;
            let now = self.sector(offset)?;
            let mut sector: Sector = *now;
            if fill_bits(&mut sector, inside, len, value) > 0 {
                self.journal.change(offset, now, |target| *target = sector);
            }
            bit += len;
        }
        Ok(())
    }
}
