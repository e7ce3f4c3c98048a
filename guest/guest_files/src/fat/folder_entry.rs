//! Entries of folders.

use super::code_page::CODE_PAGE;
use crate::dos_time::moment;
use crate::file_name::wtf8;
use crate::{FileName, Times};

pub(super) const ENTRY_BYTES: u64 = 32;
const LETTERS: usize = 13;

const LABEL: u8 = 0x08;
const FOLDER: u8 = 0x10;
const LONG_NAME: u8 = 0x0F;

const DELETED: u8 = 0xE5;
/// Stands for a first letter that would look deleted.
const FIRST_E5: u8 = 0x05;
const LAST_PART: u8 = 0x40;

/// A short entry: a file, a folder or a label.
#[derive(Debug, Clone, Copy)]
pub(super) struct ShortEntry([u8; 32]);

/// What stands at a place of a folder.
pub(super) enum Stored {
    /// Nothing follows.
    End,
    Deleted,
    LongName([u8; 32]),
    Label([u8; 11]),
    Short(ShortEntry),
}

pub(super) fn read(bytes: [u8; 32]) -> Stored {
    let attributes = bytes[11];
    match bytes[0] {
        0 => Stored::End,
        DELETED => Stored::Deleted,
        _ if attributes & 0x3F == LONG_NAME => Stored::LongName(bytes),
        _ if attributes & LABEL != 0 => Stored::Label(ShortEntry(bytes).name()),
        _ => Stored::Short(ShortEntry(bytes)),
    }
}

impl ShortEntry {
    fn name(&self) -> [u8; 11] {
        self.0.first_chunk().copied().unwrap_or([b' '; 11])
    }

    pub(super) fn is_dots(&self) -> bool {
        matches!(&self.name(), b".          " | b"..         ")
    }

    pub(super) fn is_folder(&self) -> bool {
        self.0[11] & FOLDER != 0
    }

    pub(super) fn attributes(&self) -> u32 {
        u32::from(self.0[11] & 0x3F)
    }

    pub(super) fn size_bytes(&self) -> u64 {
        let [.., a, b, c, d] = self.0;
        u64::from(u32::from_le_bytes([a, b, c, d]))
    }

    /// Returns the first cluster; FAT32 alone has its upper half.
    pub(super) fn first_cluster(&self, has_upper: bool) -> u32 {
        let upper = if has_upper {
            [self.0[20], self.0[21]]
        } else {
            [0; 2]
        };
        u32::from_le_bytes([self.0[26], self.0[27], upper[0], upper[1]])
    }

    /// Returns the times, which are local ones of the guest.
    pub(super) fn times(&self) -> Times {
        let two =
            |at: [usize; 2]| u16::from_le_bytes(at.map(|at| self.0.get(at).copied().unwrap_or(0)));
        Times {
            modified: moment(two([24, 25]), two([22, 23]), 0),
            accessed: moment(two([18, 19]), 0, 0),
            changed: None,
            created: moment(two([16, 17]), two([14, 15]), self.0[13]),
        }
    }

    /// Returns the short name as Windows shows it: by its flags in small letters.
    pub(super) fn short_name(&self) -> Vec<u8> {
        let mut name = self.name();
        if name[0] == FIRST_E5 {
            name[0] = DELETED;
        }
        let (base, extension) = name.split_at(8);
        let mut text = letters(base, self.0[12] & 0x08 != 0);
        let extension = letters(extension, self.0[12] & 0x10 != 0);
        if !extension.is_empty() {
            text.push('.');
            text.push_str(&extension);
        }
        text.into_bytes()
    }

    /// Returns the sum that the parts of a long name carry.
    fn checksum(&self) -> u8 {
        let add = |sum: u8, byte: &u8| sum.rotate_right(1).wrapping_add(*byte);
        self.name().iter().fold(0, add)
    }
}

/// Turns bytes of the guest's code page into text. Which code page it was is not said anywhere.
pub(super) fn letters(bytes: &[u8], small: bool) -> String {
    let text: String = bytes
        .iter()
        .map(|byte| match byte {
            0..=0x7F if small => char::from(byte.to_ascii_lowercase()),
            0..=0x7F => char::from(*byte),
            _ => CODE_PAGE
                .chars()
                .nth(usize::from(byte & 0x7F))
                .unwrap_or('?'),
        })
        .collect();
    text.trim_end_matches(' ').to_owned()
}

/// Puts a long name together, whose parts stand before the short entry, the last first.
#[derive(Default)]
pub(super) struct LongName {
    units: Vec<u16>,
    /// Parts that are still to come.
    missing: u8,
    checksum: u8,
}

impl LongName {
    /// Takes a part. One that does not follow makes the name nobody's.
    pub(super) fn add(&mut self, part: &[u8; 32]) {
        let number = part[0] & 0x1F;
        if part[0] & LAST_PART != 0 {
            self.units = vec![0; LETTERS * usize::from(number)];
            self.missing = number;
            self.checksum = part[13];
        } else if self.missing != number || self.checksum != part[13] {
            *self = Self::default();
        }
        if number == 0 || self.missing != number {
            *self = Self::default();
            return;
        }
        self.missing -= 1;
        let pairs = [&part[1..11], &part[14..26], &part[28..32]];
        let units = pairs.iter().flat_map(|pairs| pairs.as_chunks::<2>().0);
        let from = LETTERS * usize::from(self.missing);
        for (place, unit) in self.units.iter_mut().skip(from).zip(units) {
            *place = u16::from_le_bytes(*unit);
        }
    }

    /// Returns the name, if it is whole and the entry's.
    pub(super) fn take(&mut self, entry: &ShortEntry) -> Option<FileName> {
        let name = std::mem::take(self);
        let is_whole = name.missing == 0 && !name.units.is_empty();
        if !is_whole || name.checksum != entry.checksum() {
            return None;
        }
        let units = name.units.into_iter().take_while(|unit| *unit != 0);
        FileName::new(&wtf8(units))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(name: &[u8; 11], case: u8) -> ShortEntry {
        let mut bytes = [0; 32];
        bytes[..11].copy_from_slice(name);
        bytes[12] = case;
        ShortEntry(bytes)
    }

    #[test]
    fn short_names_are_shown_as_windows_does() {
        let shown = |name, case| String::from_utf8(short(name, case).short_name()).unwrap();
        assert_eq!(shown(b"README  TXT", 0), "README.TXT");
        assert_eq!(shown(b"README  TXT", 0x18), "readme.txt");
        assert_eq!(shown(b"README  TXT", 0x10), "README.txt");
        assert_eq!(shown(b"NOEXT      ", 0), "NOEXT");
        assert_eq!(shown(b"\x05\x84BC    \x81  ", 0), "σäBC.ü");
    }

    #[test]
    fn a_long_name_counts_only_whole_and_with_its_own_sum() {
        let entry = short(b"LONGNA~1TXT", 0);
        let part = |number: u8, letters: &str| {
            let mut bytes = [0xFF; 32];
            bytes[0] = number;
            bytes[11] = LONG_NAME;
            bytes[13] = entry.checksum();
            let mut units: Vec<u16> = letters.encode_utf16().collect();
            units.push(0);
            units.resize(LETTERS, 0xFFFF);
            let places = (1..11).chain(14..26).chain(28..32);
            for (at, byte) in places.zip(units.iter().flat_map(|unit| unit.to_le_bytes())) {
                bytes[at] = byte;
            }
            bytes
        };
        let made = |parts: &[[u8; 32]]| {
            let mut name = LongName::default();
            for part in parts {
                name.add(part);
            }
            name.take(&entry).map(|name| name.to_string())
        };
        let (second, first) = (part(0x42, "e.text"), part(1, "a long näm日🙂"));
        assert_eq!(made(&[second, first]).unwrap(), "a long näm日🙂e.text");
        assert_eq!(made(&[second]), None);
        assert_eq!(made(&[first]), None);
        assert_eq!(made(&[first, second]), None);
        let mut wrong = first;
        wrong[13] ^= 1;
        assert_eq!(made(&[second, wrong]), None);
        // Whole, but left behind by an entry that was before.
        let mut other = second;
        other[13] ^= 1;
        assert_eq!(made(&[other, wrong]), None);
        assert_eq!(made(&[part(0x41, "../x")]), None);
    }
}
