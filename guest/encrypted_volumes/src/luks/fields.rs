//! Fields of the binary headers.

use std::sync::Arc;

use block_io::BlockDevice;

use crate::UnlockError;

/// Reads a range that must be there.
pub(super) fn read(
    volume: &Arc<dyn BlockDevice>,
    offset: u64,
    len: usize,
) -> Result<Vec<u8>, UnlockError> {
    let mut bytes = vec![0; len];
    volume.read_at(offset, &mut bytes)?;
    Ok(bytes)
}

/// Returns `N` bytes at a place, or zeros where they are not there.
pub(super) fn bytes_at<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    let found = bytes.get(offset..).and_then(|rest| rest.first_chunk::<N>());
    found.copied().unwrap_or([0; N])
}

pub(super) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_be_bytes(bytes_at(bytes, offset))
}

pub(super) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_be_bytes(bytes_at(bytes, offset))
}

/// Returns a text that ends at a NUL, or where its field does.
pub(super) fn text<const N: usize>(bytes: &[u8], offset: usize) -> String {
    let field = bytes_at::<N>(bytes, offset);
    let text = field.split(|byte| *byte == 0).next().unwrap_or(&[]);
    String::from_utf8_lossy(text).into_owned()
}
