//! Bits of an allocation bitmap, least significant first.

use std::ops::Range;

/// Calls `found` with each run of bits that are clear, in order. Runs that meet between two bytes
/// are one.
pub(crate) fn clear_runs(bytes: &[u8], mut found: impl FnMut(Range<u64>)) {
    let mut begun: Option<u64> = None;
    let mut end = 0;
    for byte in bytes {
        let (first, next) = (end, end + 8);
        end = next;
        match byte {
            0x00 => {
                begun.get_or_insert(first);
            }
            0xFF => {
                if let Some(start) = begun.take() {
                    found(start..first);
                }
            }
            _ => {
                for bit in first..next {
                    if byte >> (bit - first) & 1 == 0 {
                        begun.get_or_insert(bit);
                    } else if let Some(start) = begun.take() {
                        found(start..bit);
                    }
                }
            }
        }
    }
    if let Some(start) = begun {
        found(start..end);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn runs_of_clear_bits_are_found_across_bytes() {
        let mut runs = Vec::new();
        super::clear_runs(&[0b1100_0011, 0x00, 0xFF, 0b0111_1110, 0x00], |run| {
            runs.push(run);
        });
        assert_eq!(runs, [2..6, 8..16, 24..25, 31..40]);
        let mut runs = Vec::new();
        super::clear_runs(&[0b0000_1111, 0x00, 0b1111_1110], |run| runs.push(run));
        assert_eq!(runs, vec![4..17; 1]);
    }
}
