//! How names are compared.

use std::cmp::Ordering;

use crate::malformed::{Parsed, ensure};

/// The volume's table of large letters, one for each unit of UTF-16.
#[derive(Debug, Clone)]
pub struct UpCase {
    large: Vec<u16>,
}

impl UpCase {
    /// Length of a whole table in bytes.
    pub const BYTES: u64 = 128 << 10;

    /// Takes the content of `$UpCase`. Letters that it ends before are as large as they are.
    ///
    /// # Errors
    ///
    /// Where it is longer than there are letters, or of half of one.
    pub fn parse(bytes: &[u8]) -> Parsed<Self> {
        let (units, rest) = bytes.as_chunks::<2>();
        ensure(
            rest.is_empty() && bytes.len() as u64 <= Self::BYTES,
            "the table of large letters has another length",
        )?;
        Ok(Self {
            large: units.iter().copied().map(u16::from_le_bytes).collect(),
        })
    }

    fn large(&self, unit: u16) -> u16 {
        let found = self.large.get(usize::from(unit));
        found.copied().unwrap_or(unit)
    }

    /// Orders two names in UTF-16 as folders do: by their large letters, then by length.
    pub fn compare(&self, one: &[u8], other: &[u8]) -> Ordering {
        let large = |unit: &[u8; 2]| self.large(u16::from_le_bytes(*unit));
        let one = one.as_chunks().0.iter().map(large);
        one.cmp(other.as_chunks().0.iter().map(large))
    }
}
