//! Security descriptors: in the file itself, or, once for all files that share it, in `$Secure`.

use std::cmp::Ordering;

use ntfs_format::{AttributeKind, FileRecord, fields};

use super::content::{Content, length};
use super::index::{Index, Sought};
use super::table::{Table, corrupt};
use crate::FileError;

const SECURE: u64 = 9;
/// Names of `$Secure`'s index by number and of its stream, in UTF-16.
const BY_NUMBER: &[u8] = b"$\0S\0I\0I\0";
const STREAM: &[u8] = b"$\0S\0D\0S\0";
/// A descriptor is no longer than this, and has this before it.
const DESCRIPTOR_BYTES_MAX: u32 = 1 << 16;
const HEADER_BYTES: u32 = 20;

pub(super) fn descriptor(table: &Table, record: &FileRecord) -> Result<Option<Vec<u8>>, FileError> {
    if let Some(own) = table.content(record, AttributeKind::SecurityDescriptor, &[])? {
        return Ok(Some(table.whole(&own)?));
    }
    let standard = table.content(record, AttributeKind::StandardInformation, &[])?;
    let Some(Content::Resident(standard)) = standard else {
        return Err(corrupt("what a file says of itself is not here"));
    };
    match fields::u32_at(&standard, 52) {
        // Short, as before NTFS 3.0; or none.
        Err(_) | Ok(0) => Ok(None),
        Ok(number) => by_number(table, number).map(Some),
    }
}

fn by_number(table: &Table, number: u32) -> Result<Vec<u8>, FileError> {
    let missing = || corrupt("a file's security descriptor is not in $Secure");
    let secure = table.record(SECURE)?;
    let index = Index::open(table, &secure, BY_NUMBER)?.ok_or_else(missing)?;
    let mut found = None;
    index.search(&mut |entry| {
        let own = fields::u32_at(entry.key.unwrap_or_default(), 0).unwrap_or(0);
        match number.cmp(&own) {
            Ordering::Less => Sought::Before,
            Ordering::Greater => Sought::After,
            Ordering::Equal => {
                found = Some(entry.data.to_vec());
                Sought::Here
            }
        }
    })?;
    let place = found.ok_or_else(missing)?;
    let (offset, len) = (fields::u64_at(&place, 8)?, fields::u32_at(&place, 16)?);
    if !(HEADER_BYTES..DESCRIPTOR_BYTES_MAX).contains(&len) {
        return Err(corrupt("a security descriptor has no length"));
    }
    let Some(Content::Runs(stream)) = table.content(&secure, AttributeKind::Data, STREAM)? else {
        return Err(missing());
    };
    let mut bytes = vec![0; length(u64::from(len))];
    table.read_structure(&stream, offset, &mut bytes)?;
    if fields::u32_at(&bytes, 4)? != number {
        return Err(missing());
    }
    let header = length(u64::from(HEADER_BYTES));
    Ok(bytes.split_off(header.min(bytes.len())))
}
