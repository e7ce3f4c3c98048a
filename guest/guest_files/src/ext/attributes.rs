//! Extended attributes: behind an inode's fields, in a block of their own, or in inodes of their own.

use super::Volume;
use super::inode::Inode;
use crate::posix::fields::{le, part, u8_at};
use crate::posix::{acl, corrupt};
use crate::{Attribute, FileError};

const MAGIC: u32 = 0xEA02_0000;
/// A block begins with these; behind an inode there is the signature alone.
const BLOCK_HEADER: usize = 32;
/// Linux takes no larger value.
const MOST_VALUE_BYTES: usize = 64 << 10;
/// The name space in which content lies that is short enough for the inode.
const SYSTEM: u8 = 7;

/// An attribute as it is stored.
struct Stored<'a> {
    space: u8,
    name: &'a [u8],
    value: Value<'a>,
}

enum Value<'a> {
    Here(&'a [u8]),
    In { inode: u32, len: usize },
}

/// Returns all that Linux would list.
pub(super) fn all(volume: &Volume, inode: &Inode) -> Result<Vec<Attribute>, FileError> {
    let mut found = Vec::new();
    let mut take = |stored: &Stored<'_>| -> Result<bool, FileError> {
        if let Some(attribute) = attribute(volume, stored)? {
            found.push(attribute);
        }
        Ok(false)
    };
    let tail = inode.tail();
    if tail.len() >= 4 && le::u32_at(tail, 0)? == MAGIC {
        let area = part(tail, 4, tail.len() - 4)?;
        each(area, area, &mut take)?;
    }
    if inode.attribute_block != 0 {
        let block = block(volume, inode.attribute_block)?;
        each(
            part(&block, BLOCK_HEADER, block.len() - BLOCK_HEADER)?,
            &block,
            &mut take,
        )?;
    }
    Ok(found)
}

/// Returns what of a file's content lies behind its inode.
pub(super) fn inline_content(inode: &Inode) -> Result<Vec<u8>, FileError> {
    let mut found = Vec::new();
    let tail = inode.tail();
    if tail.len() >= 4 && le::u32_at(tail, 0)? == MAGIC {
        let area = part(tail, 4, tail.len() - 4)?;
        each(area, area, &mut |stored| {
            let Value::Here(bytes) = stored.value else {
                return Ok(false);
            };
            let is_content = stored.space == SYSTEM && stored.name == b"data";
            if is_content {
                found = bytes.to_vec();
            }
            Ok(is_content)
        })?;
    }
    Ok(found)
}

/// Goes through entries until `visit` has what it wants. Values count from where `values` begins.
fn each<'a>(
    entries: &'a [u8],
    values: &'a [u8],
    visit: &mut dyn FnMut(&Stored<'a>) -> Result<bool, FileError>,
) -> Result<(), FileError> {
    let mut at = 0;
    while at + 16 <= entries.len() && le::u32_at(entries, at)? != 0 {
        let name_len = usize::from(u8_at(entries, at)?);
        let inode = le::u32_at(entries, at + 4)?;
        let len = usize::try_from(le::u32_at(entries, at + 8)?).unwrap_or(usize::MAX);
        if len > MOST_VALUE_BYTES {
            return Err(corrupt("an extended attribute is larger than one can be"));
        }
        let place = usize::from(le::u16_at(entries, at + 2)?);
        let value = match inode {
            0 if len == 0 => Value::Here(&[]),
            0 => Value::Here(part(values, place, len)?),
            inode => Value::In { inode, len },
        };
        let stored = Stored {
            space: u8_at(entries, at + 1)?,
            name: part(entries, at + 16, name_len)?,
            value,
        };
        if visit(&stored)? {
            return Ok(());
        }
        at += 16 + name_len.next_multiple_of(4);
    }
    Ok(())
}

/// Returns an attribute as Linux names it; `None` for what it does not list.
fn attribute(volume: &Volume, stored: &Stored<'_>) -> Result<Option<Attribute>, FileError> {
    let prefix: &[u8] = match stored.space {
        1 => b"user.",
        2 => b"system.posix_acl_access",
        3 => b"system.posix_acl_default",
        4 => b"trusted.",
        6 => b"security.",
        10 => b"gnu.",
        _ => return Ok(None),
    };
    let value = match stored.value {
        Value::Here(bytes) => bytes.to_vec(),
        Value::In { inode, len } => value_of(volume, inode, len)?,
    };
    let value = match stored.space {
        2 | 3 => acl::from_ext(&value)?,
        _ => value,
    };
    let name = [prefix, stored.name].concat();
    Ok(Some(Attribute { name, value }))
}

fn value_of(volume: &Volume, number: u32, len: usize) -> Result<Vec<u8>, FileError> {
    let inode = Inode::read(volume, number)?;
    if !inode.is_attribute_value() {
        return Err(corrupt("the value of an extended attribute is no value"));
    }
    let mut value = vec![0; len];
    if super::content::read(volume, &inode, 0, &mut value)? != len {
        return Err(corrupt("the value of an extended attribute is short"));
    }
    Ok(value)
}

fn block(volume: &Volume, number: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = volume.block(number)?;
    if le::u32_at(&bytes, 0)? != MAGIC {
        return Err(corrupt(
            "a block of extended attributes has another signature",
        ));
    }
    if let Some(seed) = volume.superblock.checksum_seed {
        let expected = le::u32_at(&bytes, 16)?;
        if let Some(field) = bytes.get_mut(16..20) {
            field.fill(0);
        }
        let seed = super::crc32c(seed, &number.to_le_bytes());
        if super::crc32c(seed, &bytes) != expected {
            return Err(corrupt(
                "a block of extended attributes has another checksum",
            ));
        }
    }
    Ok(bytes)
}
