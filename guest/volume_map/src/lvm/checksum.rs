//! LVM2's checksum: CRC-32 with its own start and no end.

/// The start of LVM2's checksums.
const START: u32 = 0xF597_A6CF;

/// Computes the checksum of bytes.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    // The usual CRC-32 inverts before and after; this one does not.
    let mut hasher = crc32fast::Hasher::new_with_initial(!START);
    hasher.update(bytes);
    !hasher.finalize()
}
