//! Checksums as ext4 computes them.

/// CRC-32C that goes on from `seed`, without the inversions that others put around it.
pub(crate) fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, bytes)
}

/// CRC-16 (0xA001 reflected), as group descriptors had before ext4 had CRC-32C.
pub(crate) fn crc16(seed: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(seed, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| {
            if crc & 1 == 0 {
                crc >> 1
            } else {
                crc >> 1 ^ 0xA001
            }
        })
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn checksums_are_the_known_ones() {
        assert_eq!(super::crc16(0, b"123456789"), 0xBB3D);
        assert_eq!(!super::crc32c(!0, b"123456789"), 0xE306_9283);
    }
}
