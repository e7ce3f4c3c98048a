//! Which parts of a buffer are to be written.

use std::ops::Range;

use block_io::is_zero;

/// What is written or left out as a whole: the finest grain that a VHDX on a 4 KiB disk has.
const PIECE_BYTES: usize = 4096;

/// Lists the parts of `bytes` that are to be written: runs of pieces that are not all zero.
/// Zeros shorter than `gap` pieces between two parts are written with them: one long write is
/// cheaper than two short ones.
pub(crate) fn data_runs(bytes: &[u8], gap: usize) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (index, piece) in bytes.chunks(PIECE_BYTES).enumerate() {
        if is_zero(piece) {
            continue;
        }
        let start = index * PIECE_BYTES;
        let end = start + piece.len();
        match runs.last_mut() {
            Some(last) if start - last.end <= gap * PIECE_BYTES => last.end = end,
            _ => runs.push(start..end),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_left_out_and_short_gaps_bridged() {
        let mut bytes = vec![0; 10 * PIECE_BYTES + 7];
        assert!(is_zero(&bytes));
        assert!(data_runs(&bytes, 1).is_empty());
        bytes[PIECE_BYTES] = 1;
        bytes[3 * PIECE_BYTES] = 1;
        *bytes.last_mut().unwrap() = 1;
        assert_eq!(
            data_runs(&bytes, 1),
            [
                PIECE_BYTES..4 * PIECE_BYTES,
                10 * PIECE_BYTES..10 * PIECE_BYTES + 7
            ]
        );
    }
}
