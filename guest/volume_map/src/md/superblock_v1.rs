//! The superblock of versions 1.0 (8 KiB before the end), 1.1 (at 0) and 1.2 (at 4 KiB).

use block_io::DiskError;

use super::superblock::{Role, Superblock};
use crate::reader::{Reader, bytes_at, is_sum, u16_at, u32_at, u64_at};

const MAGIC: u32 = 0xA92B_4EFC;
const SECTOR_BYTES: u64 = 512;
/// Its fixed part; the members' roles follow, two bytes each.
const FIXED_BYTES: usize = 256;
/// Most members of an array: what fits behind the fixed part into 4 KiB.
const MEMBERS_MAX: usize = (4096 - FIXED_BYTES) / 2;

/// Bits of the feature map.
mod feature {
    pub(super) const RECOVERY_OFFSET: u32 = 2;
    pub(super) const RESHAPE: u32 = 4;
    pub(super) const RAID0_LAYOUT: u32 = 4096;
}

/// Looks in all three places.
pub(super) fn read(reader: &Reader<'_>) -> Result<Option<Superblock>, DiskError> {
    // In whole sectors from the end, then rounded down to 4 KiB.
    let sectors = reader.size_bytes() / SECTOR_BYTES;
    let end = sectors.checked_sub(16).map(|sector| sector & !7);
    let places = [Some(0), Some(8), end];
    for place in places.into_iter().flatten() {
        let bytes = reader.read(place.saturating_mul(SECTOR_BYTES), 4096)?;
        if let Some(found) = parse(&bytes, place) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Reads a superblock that lies in sector `place`; `None` where it is none, or not whole.
fn parse(bytes: &[u8], place: u64) -> Option<Superblock> {
    let is_one = u32_at(bytes, 0) == MAGIC && u32_at(bytes, 4) == 1 && u64_at(bytes, 144) == place;
    let listed = usize::try_from(u32_at(bytes, 220)).unwrap_or(usize::MAX);
    if !is_one || listed > MEMBERS_MAX {
        return None;
    }
    let bytes = bytes.get(..FIXED_BYTES + 2 * listed)?;
    if !is_sum(checksum(bytes), u32_at(bytes, 216)) {
        return None;
    }
    let sectors = |at: usize| u64_at(bytes, at).checked_mul(SECTOR_BYTES);
    let features = u32_at(bytes, 8);
    let level = i32::from_le_bytes(bytes_at(bytes, 72));
    let name = bytes_at::<32>(bytes, 32);
    let name = name.split(|byte| *byte == 0).next().unwrap_or(&[]);
    Some(Superblock {
        array_id: bytes_at(bytes, 16),
        name: String::from_utf8_lossy(name).into_owned(),
        level,
        layout: match level {
            // The field was always there, and zero in those that did not know it.
            0 if features & feature::RAID0_LAYOUT == 0 => 0,
            _ => u32_at(bytes, 76),
        },
        chunk_bytes: u64::from(u32_at(bytes, 88)) * SECTOR_BYTES,
        members: u32_at(bytes, 92),
        used_bytes: sectors(80)?,
        data_offset: sectors(128)?,
        data_bytes: sectors(136)?,
        events: u64_at(bytes, 200),
        number: u32_at(bytes, 160),
        roles: (0..listed)
            .map(|member| role(u16_at(bytes, FIXED_BYTES + 2 * member)))
            .collect(),
        is_rebuilding: features & feature::RECOVERY_OFFSET != 0,
        is_reshaping: features & feature::RESHAPE != 0,
    })
}

fn role(stored: u16) -> Role {
    match stored {
        0xFFFE => Role::Faulty,
        // Spares, and a journal.
        0xFFFD..=0xFFFF => Role::Spare,
        place => Role::Active(u32::from(place)),
    }
}

/// The sum of all words, its own field taken as zero, the carry added.
fn checksum(bytes: &[u8]) -> u32 {
    let words = bytes.chunks_exact(4).enumerate();
    let own = 216 / 4;
    let sum: u64 = words
        .filter(|(at, _)| *at != own)
        .map(|(_, word)| u64::from(u32_at(word, 0)))
        .sum();
    let tail = bytes.chunks_exact(4).remainder();
    let sum = sum + u64::from(u16_at(tail, 0));
    let [low, high] = [sum & 0xFFFF_FFFF, sum >> 32];
    // As the kernel adds: both halves, and what goes over is lost.
    u32::try_from((low + high) & 0xFFFF_FFFF).unwrap_or(0)
}
