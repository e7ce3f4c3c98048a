//! Entries of folders: a file takes a set of them, with a sum.

use crate::dos_time::moment;
use crate::{FileError, FileErrorKind, Time, Times};

pub(super) const ENTRY_BYTES: u64 = 32;
pub(super) type Entry = [u8; 32];

pub(super) const END: u8 = 0x00;
pub(super) const BITMAP: u8 = 0x81;
pub(super) const UPCASE: u8 = 0x82;
pub(super) const LABEL: u8 = 0x83;
pub(super) const FILE: u8 = 0x85;
const STREAM: u8 = 0xC0;
const NAME: u8 = 0xC1;

const FOLDER: u16 = 0x10;
/// The clusters follow one another, and the table says nothing of them.
const NO_CHAIN: u8 = 2;

/// Where content is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored {
    pub(super) first: u32,
    pub(super) len_bytes: u64,
    pub(super) is_chain: bool,
}

/// A file or folder.
#[derive(Debug, Clone)]
pub(super) struct EntrySet {
    pub(super) attributes: u16,
    pub(super) times: Times,
    pub(super) stored: Stored,
    pub(super) valid_bytes: u64,
    /// In UTF-16, as little-endian bytes.
    pub(super) name: Vec<u8>,
}

/// Returns how many entries follow that of a file.
pub(super) fn secondary_count(first: &Entry) -> Result<u8, FileError> {
    // A stream, and at least one part of a name of up to 255 letters.
    match first[1] {
        count @ 2..=18 => Ok(count),
        _ => Err(corrupt("a file has no entries, or more than any")),
    }
}

impl EntrySet {
    pub(super) fn parse(entries: &[Entry]) -> Result<Self, FileError> {
        let [first, stream, names @ ..] = entries else {
            return Err(corrupt("a file has no entries"));
        };
        let mut sum = 0_u16;
        for (at, byte) in entries.iter().flatten().enumerate() {
            if !matches!(at, 2 | 3) {
                sum = sum.rotate_right(1).wrapping_add(u16::from(*byte));
            }
        }
        if sum.to_le_bytes() != [first[2], first[3]] || stream[0] != STREAM {
            return Err(corrupt("the sum of a file's entries is another"));
        }
        let name: Vec<u8> = names
            .iter()
            .filter(|entry| entry[0] == NAME)
            .flat_map(|entry| entry.iter().skip(2).copied())
            .take(2 * usize::from(stream[3]))
            .collect();
        if name.len() != 2 * usize::from(stream[3]) {
            return Err(corrupt("a file's name is shorter than it says"));
        }
        let stored = stored(stream);
        Ok(Self {
            attributes: u16::from_le_bytes([first[4], first[5]]),
            times: Times {
                created: time(first, 8, first[20], first[22]),
                modified: time(first, 12, first[21], first[23]),
                accessed: time(first, 16, 0, first[24]),
                changed: None,
            },
            valid_bytes: u64::from_le_bytes(array(stream, 8)).min(stored.len_bytes),
            stored,
            name,
        })
    }

    pub(super) fn is_folder(&self) -> bool {
        self.attributes & FOLDER != 0
    }
}

/// Returns where the content is that an entry stands for.
pub(super) fn stored(entry: &Entry) -> Stored {
    Stored {
        first: u32::from_le_bytes(array(entry, 20)),
        len_bytes: u64::from_le_bytes(array(entry, 24)),
        is_chain: entry[0] != STREAM || entry[1] & NO_CHAIN == 0,
    }
}

fn time(entry: &Entry, at: usize, hundredths: u8, offset: u8) -> Option<Time> {
    let [a, b, c, d] = array(entry, at);
    let local = moment(
        u16::from_le_bytes([c, d]),
        u16::from_le_bytes([a, b]),
        hundredths,
    )?;
    // Quarters of an hour in seven bits with a sign, where the upper one says that they count.
    let quarters = match offset & 0x80 {
        0 => 0,
        _ => i64::from(offset << 1) - if offset & 0x40 == 0 { 0 } else { 256 },
    } / 2;
    Some(Time {
        seconds: local.seconds - quarters * 900,
        nanoseconds: local.nanoseconds,
    })
}

/// Returns bytes of an entry, all of whose fields are inside of it.
fn array<const N: usize>(entry: &Entry, at: usize) -> [u8; N] {
    let found = entry.get(at..).and_then(|rest| rest.first_chunk());
    found.copied().unwrap_or([0; N])
}

fn corrupt(what: &str) -> FileError {
    FileError::new(FileErrorKind::Corrupt, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_put_back_to_utc() {
        let mut entry = [0; 32];
        entry[8..12].copy_from_slice(&[0, 0, 0x21, 0]);
        let seconds = |offset| time(&entry, 8, 0, offset).map(|time| time.seconds);
        let local = 315_532_800;
        assert_eq!(seconds(0), Some(local));
        assert_eq!(seconds(0x80), Some(local));
        assert_eq!(seconds(0x80 | 8), Some(local - 7200));
        assert_eq!(seconds(0x80 | (0x80 - 20)), Some(local + 5 * 3600));
        assert_eq!(seconds(8), Some(local));
    }
}
