//! Names of files, and references to records.

use crate::fields::{part, u8_at, u64_at};
use crate::malformed::Parsed;

/// A `$FILE_NAME`: a name of a file in a folder.
#[derive(Debug, Clone, Copy)]
pub struct FileNameValue<'a> {
    /// The folder's record, with its sequence number.
    pub folder: u64,
    /// Which rules the name follows.
    pub name_space: NameSpace,
    /// The name in UTF-16.
    pub name: &'a [u8],
}

/// Which rules a name follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameSpace {
    /// Any letter, and case counts.
    Posix,
    /// A long name.
    Windows,
    /// A short name that stands beside a long one.
    Dos,
    /// A name that is short and long at once.
    Both,
}

impl<'a> FileNameValue<'a> {
    /// Reads the value of a `$FILE_NAME`, or the key of a folder's index.
    ///
    /// # Errors
    ///
    /// Where it is shorter than its name.
    pub fn parse(bytes: &'a [u8]) -> Parsed<Self> {
        Ok(Self {
            folder: u64_at(bytes, 0)?,
            name_space: match u8_at(bytes, 65)? {
                1 => NameSpace::Windows,
                2 => NameSpace::Dos,
                3 => NameSpace::Both,
                _ => NameSpace::Posix,
            },
            name: part(bytes, 66, 2 * usize::from(u8_at(bytes, 64)?))?,
        })
    }
}

/// Returns the number of a record without the count of its uses.
pub fn record_number(reference: u64) -> u64 {
    reference & 0xFFFF_FFFF_FFFF
}

/// Returns how often the record had been used when the reference was made.
pub fn record_sequence(reference: u64) -> u16 {
    // The upper 16 of 64 bits.
    u16::try_from(reference >> 48).unwrap_or(u16::MAX)
}

/// Compares a name in UTF-16 with one in ASCII, letters large or small.
pub fn is_called(utf16: &[u8], name: &str) -> bool {
    let (units, rest) = utf16.as_chunks::<2>();
    rest.is_empty()
        && units.len() == name.len()
        && units
            .iter()
            .zip(name.bytes())
            .all(|(unit, byte)| unit[1] == 0 && unit[0].eq_ignore_ascii_case(&byte))
}
