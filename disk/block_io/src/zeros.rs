//! Finding what is all zero.

static ZEROS: [u8; 4096] = [0; 4096];

/// Returns whether all bytes are zero.
///
/// A comparison with a page that stays in the cache runs at the speed of memory, also in a build
/// without optimization, and ends early where a page is not zero.
pub fn is_zero(bytes: &[u8]) -> bool {
    bytes
        .chunks(ZEROS.len())
        .all(|piece| ZEROS.get(..piece.len()) == Some(piece))
}

#[cfg(test)]
mod tests {
    use super::is_zero;

    #[test]
    fn a_single_set_bit_anywhere_is_seen() {
        let mut bytes = vec![0; 3 * 4096 + 7];
        assert!(is_zero(&bytes) && is_zero(&[]));
        for at in [0, 4095, 4096, 3 * 4096, 3 * 4096 + 6] {
            bytes[at] = 0x80;
            assert!(!is_zero(&bytes), "byte {at}");
            bytes[at] = 0;
        }
    }
}
