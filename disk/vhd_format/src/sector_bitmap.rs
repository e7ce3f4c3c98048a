//! The bitmap in front of every block: which sectors are in this file.

use std::sync::{Arc, Mutex, PoisonError};

use block_io::{DiskError, ImageFile};

const SLOTS: usize = 64;

/// Returns the bytes of the bitmap of a block: a bit per sector, rounded up to whole sectors.
pub(crate) fn bitmap_bytes(block_bytes: u32) -> u32 {
    (block_bytes / 512).div_ceil(8).next_multiple_of(512)
}

/// Returns whether the bit of `sector` is set; the first sector is the highest bit.
pub(crate) fn bit(bitmap: &[u8], sector: usize) -> bool {
    bitmap
        .get(sector / 8)
        .is_some_and(|byte| byte & (0x80 >> (sector % 8)) != 0)
}

/// Sets the bits of `sectors`.
pub(crate) fn set_bits(bitmap: &mut [u8], sectors: std::ops::Range<usize>) {
    for sector in sectors {
        if let Some(byte) = bitmap.get_mut(sector / 8) {
            *byte |= 0x80 >> (sector % 8);
        }
    }
}

/// Counts the sectors from `first`, at most up to `end`, whose bit is like that of `first`.
pub(crate) fn run_len(bitmap: &[u8], first: usize, end: usize) -> usize {
    let kind = bit(bitmap, first);
    let whole = if kind { 0xFF } else { 0 };
    let mut sector = first + 1;
    while sector < end {
        // Whole bytes at a time where a byte is all of one kind.
        if sector.is_multiple_of(8) && sector + 8 <= end && bitmap.get(sector / 8) == Some(&whole) {
            sector += 8;
        } else if bit(bitmap, sector) == kind {
            sector += 1;
        } else {
            break;
        }
    }
    sector.min(end) - first
}

type Slot = Mutex<Option<(u64, Arc<[u8]>)>>;

/// The bitmaps that were used last: at most 64, each at most 64 KiB.
pub(crate) struct BitmapCache {
    slots: Vec<Slot>,
}

impl BitmapCache {
    pub(crate) fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Mutex::new(None)).collect(),
        }
    }

    /// Returns the `len_bytes` of bitmap at `offset`, from memory where it was just used.
    pub(crate) fn get(
        &self,
        file: &dyn ImageFile,
        block: u64,
        offset: u64,
        len_bytes: u32,
    ) -> Result<Arc<[u8]>, DiskError> {
        let slot = usize::try_from(block % 64)
            .ok()
            .and_then(|slot| self.slots.get(slot));
        if let Some(slot) = slot
            && let Some((cached, bitmap)) = &*slot.lock().unwrap_or_else(PoisonError::into_inner)
            && *cached == block
        {
            return Ok(Arc::clone(bitmap));
        }
        let mut bytes = vec![0; usize::try_from(len_bytes).unwrap_or(0)];
        file.read_exact_at(offset, &mut bytes).map_err(|error| {
            DiskError::io(file.name(), "cannot read a sector bitmap", error).at(offset)
        })?;
        let bitmap: Arc<[u8]> = bytes.into();
        if let Some(slot) = slot {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) =
                Some((block, Arc::clone(&bitmap)));
        }
        Ok(bitmap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sector_is_the_highest_bit() {
        let mut bitmap = [0; 2];
        set_bits(&mut bitmap, 0..1);
        set_bits(&mut bitmap, 6..9);
        assert_eq!(bitmap, [0b1000_0011, 0b1000_0000]);
        assert_eq!(run_len(&bitmap, 0, 16), 1);
        assert_eq!(run_len(&bitmap, 1, 16), 5);
        assert_eq!(run_len(&bitmap, 6, 16), 3);
        assert_eq!(run_len(&bitmap, 9, 16), 7);
    }

    #[test]
    fn a_default_block_has_one_sector_of_bitmap() {
        assert_eq!(bitmap_bytes(2 << 20), 512);
        assert_eq!(bitmap_bytes(512 << 10), 512);
        assert_eq!(bitmap_bytes(4 << 20), 1024);
    }
}
