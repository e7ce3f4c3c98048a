//! Numbers in what was read. What is not there is damage, never a panic.

use crate::refusal::{Read, Refusal};

fn array<const N: usize>(bytes: &[u8], offset: usize) -> Read<[u8; N]> {
    let found = bytes.get(offset..).and_then(|rest| rest.first_chunk::<N>());
    found
        .copied()
        .ok_or_else(|| Refusal::damaged("a structure ends before one of its fields"))
}

pub(crate) fn u8_at(bytes: &[u8], offset: usize) -> Read<u8> {
    array::<1>(bytes, offset).map(|[byte]| byte)
}

/// Returns `len` bytes at a place.
pub(crate) fn part(bytes: &[u8], offset: usize, len: usize) -> Read<&[u8]> {
    let end = offset.checked_add(len);
    end.and_then(|end| bytes.get(offset..end))
        .ok_or_else(|| Refusal::damaged("a structure ends before one of its parts"))
}

/// Little-endian numbers: NTFS, ext, Btrfs, swap.
pub(crate) mod le {
    use super::{Read, array};

    pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> Read<u16> {
        array(bytes, offset).map(u16::from_le_bytes)
    }

    pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Read<u32> {
        array(bytes, offset).map(u32::from_le_bytes)
    }

    pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> Read<u64> {
        array(bytes, offset).map(u64::from_le_bytes)
    }
}

/// Big-endian numbers: XFS.
pub(crate) mod be {
    use super::{Read, array};

    pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> Read<u16> {
        array(bytes, offset).map(u16::from_be_bytes)
    }

    pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Read<u32> {
        array(bytes, offset).map(u32::from_be_bytes)
    }

    pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> Read<u64> {
        array(bytes, offset).map(u64::from_be_bytes)
    }
}

/// Returns a length of a structure as a place in memory; none is as long as that where it does not
/// fit.
pub(crate) fn index(number: u64) -> Read<usize> {
    usize::try_from(number).map_err(|_| Refusal::damaged("a length makes no sense"))
}
