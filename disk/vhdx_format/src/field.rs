//! Little-endian fields of a structure that has been read whole.
//!
//! A field that lies beyond the end of the slice reads as zero. Every caller hands in a buffer of
//! the structure's full length, so this never happens; it merely cannot panic.

use uuid::Uuid;

/// Smallest unit of the log and of cached metadata, in bytes.
pub(crate) const SECTOR_BYTES: u64 = 4096;
/// [`SECTOR_BYTES`] as a length.
pub(crate) const SECTOR_LEN: usize = 4096;
/// Alignment of every object after the headers, in bytes.
pub(crate) const MIB: u64 = 1 << 20;
/// No file of this format is longer: 64 TiB of payload, its tables, and room to spare.
pub(crate) const MAX_FILE_BYTES: u64 = 1 << 47;

/// One 4 KiB sector of metadata.
pub(crate) type Sector = [u8; SECTOR_LEN];

/// Returns `N` bytes at `at`.
pub(crate) fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut field = [0; N];
    if let Some(part) = at.checked_add(N).and_then(|end| bytes.get(at..end)) {
        field.copy_from_slice(part);
    }
    field
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes_at(bytes, at))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes_at(bytes, at))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes_at(bytes, at))
}

/// GUIDs are stored the way Windows keeps them: three little-endian numbers and eight bytes.
pub(crate) fn guid_at(bytes: &[u8], at: usize) -> Uuid {
    Uuid::from_bytes_le(bytes_at(bytes, at))
}

/// Writes `field` at `at` of a structure being built.
pub(crate) fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    if let Some(part) = at
        .checked_add(field.len())
        .and_then(|end| bytes.get_mut(at..end))
    {
        part.copy_from_slice(field);
    }
}

/// CRC-32C of `bytes` with the four bytes at `at` taken as zero.
pub(crate) fn crc_without_field(bytes: &[u8], at: usize) -> u32 {
    let (before, rest) = bytes.split_at(at.min(bytes.len()));
    let after = rest.get(4..).unwrap_or(&[]);
    crc32c::crc32c_append(
        crc32c::crc32c_append(crc32c::crc32c(before), &[0; 4]),
        after,
    )
}

/// Turns an offset inside a buffer into an index. Values that do not fit index nothing.
pub(crate) fn index(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// Rounds up to a multiple of `unit`, saturating.
pub(crate) fn round_up(value: u64, unit: u64) -> u64 {
    value.div_ceil(unit).saturating_mul(unit)
}
