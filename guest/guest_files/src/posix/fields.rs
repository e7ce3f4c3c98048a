//! Numbers in what was read. What is not there is damage, never a panic.

use super::corrupt;
use crate::FileError;

fn array<const N: usize>(bytes: &[u8], offset: usize) -> Result<[u8; N], FileError> {
    let found = bytes.get(offset..).and_then(|rest| rest.first_chunk::<N>());
    found
        .copied()
        .ok_or_else(|| corrupt("a structure ends before one of its fields"))
}

pub(crate) fn u8_at(bytes: &[u8], offset: usize) -> Result<u8, FileError> {
    array::<1>(bytes, offset).map(|[byte]| byte)
}

/// Returns `len` bytes at a place.
pub(crate) fn part(bytes: &[u8], offset: usize, len: usize) -> Result<&[u8], FileError> {
    let end = offset.checked_add(len);
    end.and_then(|end| bytes.get(offset..end))
        .ok_or_else(|| corrupt("a structure ends before one of its parts"))
}

/// Returns 16 bytes at a place.
pub(crate) fn uuid_at(bytes: &[u8], offset: usize) -> Result<[u8; 16], FileError> {
    array(bytes, offset)
}

/// Little-endian numbers: ext, Btrfs.
pub(crate) mod le {
    use super::{FileError, array};

    pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> Result<u16, FileError> {
        array(bytes, offset).map(u16::from_le_bytes)
    }

    pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Result<u32, FileError> {
        array(bytes, offset).map(u32::from_le_bytes)
    }

    pub(crate) fn i32_at(bytes: &[u8], offset: usize) -> Result<i32, FileError> {
        array(bytes, offset).map(i32::from_le_bytes)
    }

    pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> Result<u64, FileError> {
        array(bytes, offset).map(u64::from_le_bytes)
    }
}

/// Big-endian numbers: XFS, ext's journal.
pub(crate) mod be {
    use super::{FileError, array};

    pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> Result<u16, FileError> {
        array(bytes, offset).map(u16::from_be_bytes)
    }

    pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Result<u32, FileError> {
        array(bytes, offset).map(u32::from_be_bytes)
    }
}

/// Joins the halves that a number is stored in.
pub(crate) fn joined(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// Returns a number as a place in memory; nothing here is as long as that where it does not fit.
pub(crate) fn index(number: u64) -> Result<usize, FileError> {
    usize::try_from(number).map_err(|_| corrupt("a length makes no sense"))
}

/// Writes a UUID as people know it.
pub(crate) fn uuid_text(uuid: &[u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (place, byte) in uuid.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// Takes a label that ends at its first zero.
pub(crate) fn label_text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default())
        .into_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_not_there_is_damage() {
        assert!(super::le::u32_at(&[1, 2, 3], 0).is_err());
        assert!(super::part(&[1, 2, 3], usize::MAX, 2).is_err());
        assert_eq!(super::be::u16_at(&[1, 2, 3], 1).unwrap(), 0x203);
    }

    #[test]
    fn a_uuid_is_written_in_five_groups() {
        let uuid: Vec<u8> = (0..16).collect();
        let text = super::uuid_text(uuid.as_slice().try_into().unwrap());
        assert_eq!(text, "00010203-0405-0607-0809-0a0b0c0d0e0f");
    }
}
