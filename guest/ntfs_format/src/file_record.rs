//! A record of the file table.

use crate::attribute::Attribute;
use crate::fields::{index, part, u16_at, u32_at, u64_at};
use crate::file_name::record_number;
use crate::malformed::{Malformed, Parsed, ensure};
use crate::protection::repair;

/// Attributes of a record that are looked at.
const ATTRIBUTES_MAX: usize = 4096;

/// A record of the file table.
#[derive(Debug, Clone)]
pub struct FileRecord {
    number: u64,
    bytes: Vec<u8>,
}

impl FileRecord {
    /// Takes a record as it was read.
    ///
    /// # Errors
    ///
    /// Where it is none, or was written in part.
    pub fn parse(number: u64, mut bytes: Vec<u8>) -> Parsed<Self> {
        repair(&mut bytes, *b"FILE")?;
        let record = Self { number, bytes };
        // All of the fields below are there.
        part(&record.bytes, 0, 48)?;
        Ok(record)
    }

    fn field(&self, offset: usize) -> u16 {
        u16_at(&self.bytes, offset).unwrap_or(0)
    }

    /// Returns its number in the table.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Returns how often the record was used for another file.
    pub fn sequence(&self) -> u16 {
        self.field(16)
    }

    /// Returns how many names it has, short ones beside long ones included.
    pub fn links(&self) -> u16 {
        self.field(18)
    }

    /// Says whether it stands for a file.
    pub fn is_in_use(&self) -> bool {
        self.field(22) & 1 != 0
    }

    /// Says whether it stands for a folder.
    pub fn is_folder(&self) -> bool {
        self.field(22) & 2 != 0
    }

    /// Returns the number of the record that this one continues; 0 for none.
    pub fn base(&self) -> u64 {
        u64_at(&self.bytes, 32).map_or(0, record_number)
    }

    /// Returns the attributes, in order.
    ///
    /// # Errors
    ///
    /// Where one leaves the record, or none is the last.
    pub fn attributes(&self) -> Parsed<Vec<Attribute<'_>>> {
        let mut attributes = Vec::new();
        let mut at = usize::from(self.field(20));
        while attributes.len() < ATTRIBUTES_MAX {
            if u32_at(&self.bytes, at)? == u32::MAX {
                return Ok(attributes);
            }
            let len = index(u32_at(&self.bytes, at + 4)?)?;
            ensure(len >= 24, "an attribute has no length")?;
            attributes.push(Attribute::parse(part(&self.bytes, at, len)?)?);
            at += len;
        }
        Err(Malformed::new("a file has more attributes than any"))
    }
}
