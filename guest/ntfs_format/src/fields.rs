//! Little-endian numbers in what was read. What is not there is an error, never a panic.

use crate::malformed::{Malformed, Parsed};

fn array<const N: usize>(bytes: &[u8], offset: usize) -> Parsed<[u8; N]> {
    let found = bytes.get(offset..).and_then(|rest| rest.first_chunk::<N>());
    found
        .copied()
        .ok_or(Malformed::new("a structure ends before one of its fields"))
}

/// Returns a byte.
///
/// # Errors
///
/// Where `bytes` ends before it, as for all of these.
pub fn u8_at(bytes: &[u8], offset: usize) -> Parsed<u8> {
    array::<1>(bytes, offset).map(|[byte]| byte)
}

/// Returns a number of 16 bits.
///
/// # Errors
///
/// Where `bytes` ends before it.
pub fn u16_at(bytes: &[u8], offset: usize) -> Parsed<u16> {
    array(bytes, offset).map(u16::from_le_bytes)
}

/// Returns a number of 32 bits.
///
/// # Errors
///
/// Where `bytes` ends before it.
pub fn u32_at(bytes: &[u8], offset: usize) -> Parsed<u32> {
    array(bytes, offset).map(u32::from_le_bytes)
}

/// Returns a number of 64 bits.
///
/// # Errors
///
/// Where `bytes` ends before it.
pub fn u64_at(bytes: &[u8], offset: usize) -> Parsed<u64> {
    array(bytes, offset).map(u64::from_le_bytes)
}

/// Returns `len` bytes at a place.
///
/// # Errors
///
/// Where `bytes` ends before them.
pub fn part(bytes: &[u8], offset: usize, len: usize) -> Parsed<&[u8]> {
    let end = offset.checked_add(len);
    end.and_then(|end| bytes.get(offset..end))
        .ok_or(Malformed::new("a structure ends before one of its parts"))
}

/// Returns a length of a structure as a place in memory.
///
/// # Errors
///
/// Where it does not fit there, and so is none.
pub fn index(number: impl TryInto<usize>) -> Parsed<usize> {
    number
        .try_into()
        .map_err(|_| Malformed::new("a length makes no sense"))
}
