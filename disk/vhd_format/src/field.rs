//! Big-endian fields of the fixed-size structures.
//!
//! Every structure is read into an array of its full length first, and every offset here is a
//! constant of the format, so that no index depends on what a file says.

/// Copies `N` bytes from the constant offset `at`.
pub(crate) fn bytes_at<const N: usize>(structure: &[u8], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&structure[at..at + N]);
    field
}

pub(crate) fn u16_at(structure: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(bytes_at(structure, at))
}

pub(crate) fn u32_at(structure: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes_at(structure, at))
}

pub(crate) fn u64_at(structure: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(bytes_at(structure, at))
}

pub(crate) fn put(structure: &mut [u8], at: usize, field: &[u8]) {
    structure[at..at + field.len()].copy_from_slice(field);
}

/// Computes the checksum of a footer or header: the one's complement of the sum of its bytes,
/// with the four bytes of the checksum itself, at `checksum_at`, taken as zero.
pub(crate) fn checksum(structure: &[u8], checksum_at: usize) -> u32 {
    let sum = structure
        .iter()
        .enumerate()
        .filter(|(at, _)| !(checksum_at..checksum_at + 4).contains(at))
        .fold(0_u32, |sum, (_, byte)| sum.wrapping_add(u32::from(*byte)));
    !sum
}
