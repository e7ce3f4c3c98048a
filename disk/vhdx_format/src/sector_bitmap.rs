//! Sector bitmaps: which sectors of a partially present block are in this file (MS-VHDX 2.4).
//!
//! A bitmap block has 1 MiB: one bit per sector of a chunk, least significant bit first, 1 for a
//! sector in this file.

use std::sync::Arc;

use block_io::DiskError;

use crate::field::{SECTOR_BYTES, SECTOR_LEN, Sector, index};
use crate::sector_cache::SectorSource;

/// Length of a bitmap block, in bytes.
pub(crate) const BITMAP_BYTES: u64 = 1 << 20;
const BITS_PER_SECTOR: u64 = SECTOR_BYTES * 8;

/// Returns the first bit's value and how many bits from `first` on, at most `max`, have it.
///
/// `bitmap` is the offset in the file of the bitmap block.
pub(crate) fn run(
    source: &impl SectorSource,
    bitmap: u64,
    first: u64,
    max: u64,
) -> Result<(bool, u64), DiskError> {
    let mut sector = sector_of(source, bitmap, first)?;
    let value = bit(&sector, first % BITS_PER_SECTOR);
    let mut length = 0;
    while length < max {
        let position = (first + length) % BITS_PER_SECTOR;
        if position == 0 && length > 0 {
            sector = sector_of(source, bitmap, first + length)?;
        }
        let left = (BITS_PER_SECTOR - position).min(max - length);
        let same = same_bits(&sector, position, left, value);
        length += same;
        if same < left {
            break;
        }
    }
    Ok((value, length.clamp(1, max)))
}

fn sector_of(source: &impl SectorSource, bitmap: u64, bit: u64) -> Result<Arc<Sector>, DiskError> {
    source.sector(bitmap + bit / BITS_PER_SECTOR * SECTOR_BYTES)
}

fn bit(sector: &Sector, position: u64) -> bool {
    let byte = sector.get(index(position / 8)).copied().unwrap_or(0);
    byte >> (position % 8) & 1 != 0
}

/// Counts how many of the `max` bits from `position` on are `value`, a word at a time.
fn same_bits(sector: &Sector, position: u64, max: u64, value: bool) -> u64 {
    let mut count = 0;
    while count < max {
        let at = position + count;
        let start = index(at / 64 * 8).min(SECTOR_LEN - 8);
        let mut word = [0; 8];
        word.copy_from_slice(&sector[start..start + 8]);
        let word = u64::from_le_bytes(word);
        // Make the bits that we look for zero, so that counting trailing zeros counts them.
        let other = if value { !word } else { word } >> (at % 64);
        let left = 64 - at % 64;
        let same = u64::from(other.trailing_zeros()).min(left);
        count += same;
        if same < left {
            break;
        }
    }
    count.min(max)
}

/// Sets or clears `count` bits from `first` on, and returns how many changed.
///
/// `bytes` is a bitmap that starts at bit 0.
pub(crate) fn fill_bits(bytes: &mut [u8], first: u64, count: u64, value: bool) -> u64 {
    let end = first + count;
    let mut changed = 0;
    let mut at = first;
    while at < end {
        let next = (at / 8 * 8 + 8).min(end);
        // Bits at % 8 to next - 1 of this byte; the shifts stay below 8.
        let mask = (0xFF_u8 << (at % 8)) & (0xFF_u8 >> (7 - (next - 1) % 8));
        if let Some(byte) = bytes.get_mut(index(at / 8)) {
            let new = if value { *byte | mask } else { *byte & !mask };
            changed += u64::from((new ^ *byte).count_ones());
            *byte = new;
        }
        at = next;
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_counted_across_words() {
        let mut sector = [0; SECTOR_LEN];
        assert_eq!(fill_bits(&mut sector, 3, 200, true), 200);
        assert_eq!(same_bits(&sector, 0, 1000, false), 3);
        assert_eq!(same_bits(&sector, 3, 1000, true), 200);
        assert_eq!(same_bits(&sector, 100, 50, true), 50);
        assert_eq!(same_bits(&sector, 203, 32768 - 203, false), 32768 - 203);
        fill_bits(&mut sector, 8, 1, false);
        assert!(!bit(&sector, 8) && bit(&sector, 7) && bit(&sector, 9));
    }

    #[test]
    fn the_least_significant_bit_is_the_first_sector() {
        let mut bytes = [0; 2];
        fill_bits(&mut bytes, 0, 1, true);
        assert_eq!(bytes, [1, 0]);
        fill_bits(&mut bytes, 7, 2, true);
        assert_eq!(bytes, [0x81, 1]);
    }
}
