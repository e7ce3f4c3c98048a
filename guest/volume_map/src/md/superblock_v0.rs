//! The superblock of version 0.90: 4 KiB in the last 64 KiB that are whole. Its words are in the order
//! of the machine that wrote them; here that is little-endian, as all of Hyper-V's guests are.

use block_io::DiskError;

use super::superblock::{Role, Superblock};
use crate::reader::{Reader, is_sum, u32_at};

const MAGIC: u32 = 0xA92B_4EFC;
const RESERVED_BYTES: u64 = 64 << 10;
const SUPERBLOCK_BYTES: usize = 4096;
/// Most members of an array.
const MEMBERS_MAX: u32 = 27;
/// The word with which the members' descriptions begin, and how many words each has.
const MEMBERS_AT: u32 = 128;
const MEMBER_WORDS: u32 = 32;
/// Where this member's own description is.
const THIS_AT: u32 = 992;

/// Bits of a member's state.
mod state {
    pub(super) const FAULTY: u32 = 1;
    pub(super) const ACTIVE: u32 = 2;
    pub(super) const IN_SYNC: u32 = 4;
}

/// Returns where the superblock of a member of this size is.
pub(super) fn place(size_bytes: u64) -> Option<u64> {
    (size_bytes / RESERVED_BYTES * RESERVED_BYTES).checked_sub(RESERVED_BYTES)
}

pub(super) fn read(reader: &Reader<'_>) -> Result<Option<Superblock>, DiskError> {
    let Some(place) = place(reader.size_bytes()) else {
        return Ok(None);
    };
    let bytes = reader.read(place, SUPERBLOCK_BYTES)?;
    Ok(parse(&bytes, place))
}

fn parse(bytes: &[u8], place: u64) -> Option<Superblock> {
    let word = |at: u32| u32_at(bytes, usize::try_from(at * 4).unwrap_or(usize::MAX));
    let is_one = word(0) == MAGIC && word(1) == 0 && (90..=91).contains(&word(2));
    if !is_one || bytes.len() < SUPERBLOCK_BYTES || !is_sum(checksum(bytes), word(38)) {
        return None;
    }
    let mut array_id = [0; 16];
    // The first word of the id was there before the others.
    for (part, at) in array_id.chunks_exact_mut(4).zip([5, 13, 14, 15]) {
        part.copy_from_slice(&word(at).to_le_bytes());
    }
    let roles = (0..MEMBERS_MAX).map(|number| {
        let at = MEMBERS_AT + number * MEMBER_WORDS;
        let flags = word(at + 4);
        if flags & state::FAULTY != 0 {
            Role::Faulty
        } else if flags & (state::ACTIVE | state::IN_SYNC) == state::ACTIVE | state::IN_SYNC {
            Role::Active(word(at + 3))
        } else {
            Role::Spare
        }
    });
    let level = i32::from_le_bytes(word(7).to_le_bytes());
    let used_bytes = u64::from(word(8)) * 1024;
    Some(Superblock {
        array_id,
        name: word(11).to_string(),
        level,
        layout: if level == 0 { 0 } else { word(64) },
        chunk_bytes: u64::from(word(65)),
        members: word(10),
        used_bytes,
        data_offset: 0,
        data_bytes: place,
        events: u64::from(word(39)) | u64::from(word(40)) << 32,
        number: word(THIS_AT),
        roles: roles.collect(),
        is_rebuilding: false,
        // Only the minor version 91 is on its way.
        is_reshaping: word(2) == 91,
    })
}

/// The sum of all words, its own taken as zero, the carry added.
fn checksum(bytes: &[u8]) -> u32 {
    let words = bytes.chunks_exact(4).enumerate();
    let sum: u64 = words
        .filter(|(at, _)| *at != 38)
        .map(|(_, word)| u64::from(u32_at(word, 0)))
        .sum();
    u32::try_from(((sum & 0xFFFF_FFFF) + (sum >> 32)) & 0xFFFF_FFFF).unwrap_or(0)
}
