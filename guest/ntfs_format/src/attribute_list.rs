//! The list of attributes that a file has where one record is too short for them.

use crate::attribute::AttributeKind;
use crate::fields::{part, u8_at, u16_at, u32_at, u64_at};
use crate::file_name::record_number;
use crate::malformed::{Parsed, ensure};

/// An attribute, or a part of one, and the record that holds it.
#[derive(Debug, Clone, Copy)]
pub struct ListedAttribute<'a> {
    kind: u32,
    /// Its name in UTF-16.
    pub name: &'a [u8],
    /// The first cluster of the content that this part holds.
    pub first: u64,
    /// The number of the record that holds it.
    pub record: u64,
}

impl ListedAttribute<'_> {
    /// Says whether it is of this kind.
    pub fn is_a(&self, kind: AttributeKind) -> bool {
        self.kind == kind as u32
    }
}

/// Reads the content of an `$ATTRIBUTE_LIST`, in order.
///
/// # Errors
///
/// Where an entry has no length or leaves the list.
pub fn attribute_list(bytes: &[u8]) -> Parsed<Vec<ListedAttribute<'_>>> {
    let mut listed = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let len = usize::from(u16_at(bytes, at + 4)?);
        ensure(len >= 26, "a list of attributes makes no sense")?;
        let entry = part(bytes, at, len)?;
        let name_len = 2 * usize::from(u8_at(entry, 6)?);
        listed.push(ListedAttribute {
            kind: u32_at(entry, 0)?,
            name: if name_len == 0 {
                &[]
            } else {
                part(entry, usize::from(u8_at(entry, 7)?), name_len)?
            },
            first: u64_at(entry, 8)?,
            record: record_number(u64_at(entry, 16)?),
        });
        at += len;
    }
    Ok(listed)
}
