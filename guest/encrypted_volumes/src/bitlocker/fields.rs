//! Fields of the metadata: little-endian, as everything of Windows.

use uuid::Uuid;

/// Returns `N` bytes at a place, or zeros where they are not there.
pub(super) fn bytes_at<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    let found = bytes.get(offset..).and_then(|rest| rest.first_chunk::<N>());
    found.copied().unwrap_or([0; N])
}

pub(super) fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    u16::from_le_bytes(bytes_at(bytes, offset))
}

pub(super) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(bytes_at(bytes, offset))
}

pub(super) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(bytes_at(bytes, offset))
}

pub(super) fn uuid_at(bytes: &[u8], offset: usize) -> Uuid {
    Uuid::from_bytes_le(bytes_at(bytes, offset))
}
