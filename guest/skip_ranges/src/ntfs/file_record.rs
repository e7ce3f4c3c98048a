//! A record of the file table, and the protection that all of NTFS' structures have.

use crate::fields::{le, part, u8_at};
use crate::ntfs::attribute::{Attribute, AttributeKind};
use crate::refusal::{Read, Refusal, ensure};

/// A protected structure carries the end of each of these in its head.
const PROTECTED_BYTES: usize = 512;

/// Attributes of a record that are looked at.
const ATTRIBUTES_MAX: usize = 4096;

/// Puts back what the protection against torn writes has replaced, and fails where a write was
/// torn.
pub(crate) fn repair(bytes: &mut [u8], magic: [u8; 4]) -> Read<()> {
    ensure(
        bytes.starts_with(&magic),
        "a structure of the volume does not begin like one",
    )?;
    let at = usize::from(le::u16_at(bytes, 4)?);
    let count = usize::from(le::u16_at(bytes, 6)?);
    ensure(
        count == bytes.len() / PROTECTED_BYTES + 1,
        "a structure of the volume protects another length",
    )?;
    let number = le::u16_at(bytes, at)?;
    for sector in 1..count {
        let kept = le::u16_at(bytes, at + 2 * sector)?;
        let end = sector * PROTECTED_BYTES - 2;
        ensure(
            le::u16_at(bytes, end)? == number,
            "a structure of the volume was written in part",
        )?;
        if let Some(place) = bytes.get_mut(end..end + 2) {
            place.copy_from_slice(&kept.to_le_bytes());
        }
    }
    Ok(())
}

/// A record of the file table.
pub(crate) struct FileRecord {
    pub(crate) number: u64,
    bytes: Vec<u8>,
}

impl FileRecord {
    pub(crate) fn parse(number: u64, mut bytes: Vec<u8>) -> Read<Self> {
        repair(&mut bytes, *b"FILE")?;
        let record = Self { number, bytes };
        ensure(
            le::u16_at(&record.bytes, 22)? & 1 != 0,
            "a file that is needed is not in use",
        )?;
        Ok(record)
    }

    /// Returns how often the record was used for another file.
    pub(crate) fn sequence(&self) -> Read<u16> {
        le::u16_at(&self.bytes, 16)
    }

    /// Returns the number of the record that this one continues; 0 for none.
    pub(crate) fn base(&self) -> Read<u64> {
        le::u64_at(&self.bytes, 32).map(record_number)
    }

    /// Returns the attributes, in order.
    pub(crate) fn attributes(&self) -> Read<Vec<Attribute<'_>>> {
        let mut attributes = Vec::new();
        let mut at = usize::from(le::u16_at(&self.bytes, 20)?);
        while attributes.len() < ATTRIBUTES_MAX {
            if le::u32_at(&self.bytes, at)? == u32::MAX {
                return Ok(attributes);
            }
            let len = usize::try_from(le::u32_at(&self.bytes, at + 4)?).unwrap_or(usize::MAX);
            ensure(len >= 24, "an attribute has no length")?;
            attributes.push(Attribute::parse(part(&self.bytes, at, len)?)?);
            at += len;
        }
        Err(Refusal::damaged("a file has more attributes than any"))
    }

    /// Says whether the file has this name in this folder, letters large or small.
    pub(crate) fn is_named_in(&self, folder: u64, name: &str) -> Read<bool> {
        for attribute in self.attributes()? {
            let Some(bytes) = attribute.resident(AttributeKind::FileName, "") else {
                continue;
            };
            let parent = record_number(le::u64_at(bytes, 0)?);
            if parent == folder && is_called(file_name(bytes)?, name) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Returns the number of a record without the count of its uses.
pub(crate) fn record_number(reference: u64) -> u64 {
    reference & 0xFFFF_FFFF_FFFF
}

/// Returns the name of a file name attribute, in UTF-16.
pub(crate) fn file_name(bytes: &[u8]) -> Read<&[u8]> {
    part(bytes, 66, 2 * usize::from(u8_at(bytes, 64)?))
}

/// Compares a name in UTF-16 with one in ASCII, letters large or small.
pub(crate) fn is_called(utf16: &[u8], name: &str) -> bool {
    let (units, rest) = utf16.as_chunks::<2>();
    rest.is_empty()
        && units.len() == name.len()
        && units
            .iter()
            .zip(name.bytes())
            .all(|(unit, byte)| unit[1] == 0 && unit[0].eq_ignore_ascii_case(&byte))
}
