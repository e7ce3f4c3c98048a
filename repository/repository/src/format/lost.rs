//! Frames that points need and that are nowhere (section 11).

use crate::format::{Locator, Name, PackId};
use crate::{RepositoryError, RepositoryErrorKind};

const ENTRY_BYTES: usize = 56;
/// Frames that one object may hold: it stays below the most that a sealed object may be.
pub(crate) const LOST_FRAMES_MAX: usize = 1 << 20;

/// A frame that is lost: its name, and where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LostFrame {
    pub(crate) name: Name,
    pub(crate) place: Locator,
}

/// Returns the body of an object that says what is lost.
pub(crate) fn encode_lost(frames: &[LostFrame]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + frames.len() * ENTRY_BYTES);
    let count = u32::try_from(frames.len()).unwrap_or(u32::MAX);
    bytes.extend(count.to_le_bytes());
    for LostFrame { name, place } in frames {
        bytes.extend(name.0);
        bytes.extend(place.pack.0);
        bytes.extend(place.offset.to_le_bytes());
        bytes.extend(place.stored_bytes.to_le_bytes());
    }
    bytes
}

/// Reads the body of an object that says what is lost.
pub(crate) fn decode_lost(bytes: &[u8]) -> Result<Vec<LostFrame>, RepositoryError> {
    let wrong = |what| RepositoryError::new(RepositoryErrorKind::Damaged, what);
    let (count, rest) = bytes
        .split_first_chunk()
        .ok_or_else(|| wrong("a list of what is lost is too short"))?;
    let (records, rest) = rest.as_chunks::<ENTRY_BYTES>();
    if usize::try_from(u32::from_le_bytes(*count)).ok() != Some(records.len()) || !rest.is_empty() {
        return Err(wrong(
            "a list of what is lost does not have the length it says",
        ));
    }
    let frame = |record: &[u8; ENTRY_BYTES]| {
        let number = |at: usize| {
            u32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]])
        };
        let (mut name, mut pack) = ([0; 32], [0; 16]);
        name.copy_from_slice(&record[..32]);
        pack.copy_from_slice(&record[32..48]);
        LostFrame {
            name: Name(name),
            place: Locator {
                pack: PackId(pack),
                offset: number(48),
                stored_bytes: number(52),
            },
        }
    };
    Ok(records.iter().map(frame).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_comes_back_and_every_cut_is_refused() {
        let frame = |n: u8| LostFrame {
            name: Name([n; 32]),
            place: Locator {
                pack: PackId([n + 1; 16]),
                offset: u32::from(n) + 2,
                stored_bytes: u32::from(n) + 3,
            },
        };
        let frames = [frame(1), frame(9)];
        let bytes = encode_lost(&frames);
        assert_eq!(decode_lost(&bytes).unwrap(), frames);
        assert!((0..bytes.len()).all(|len| decode_lost(&bytes[..len]).is_err()));
    }
}
