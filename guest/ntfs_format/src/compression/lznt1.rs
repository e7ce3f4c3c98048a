//! LZNT1 (MS-XCA 2.5).

use crate::compression::repeat;
use crate::fields::{part, u8_at, u16_at};
use crate::malformed::{Parsed, ensure};

const CHUNK_BYTES: usize = 4096;
const CHUNK_IS_COMPRESSED: u16 = 0x8000;

/// Decompresses into `output`, which becomes zeros where the input ends before it is full.
///
/// # Errors
///
/// Where the input breaks the format's rules.
pub fn decompress_lznt1(input: &[u8], output: &mut [u8]) -> Parsed<()> {
    let mut from = 0;
    for chunk in output.chunks_mut(CHUNK_BYTES) {
        let header = match input.get(from..) {
            Some([low, high, ..]) => u16::from_le_bytes([*low, *high]),
            _ => 0,
        };
        if header == 0 {
            // The end: no other chunk follows.
            chunk.fill(0);
            from = input.len();
            continue;
        }
        ensure((header >> 12) & 7 == 3, "an LZNT1 chunk has no signature")?;
        let stored = part(input, from + 2, usize::from(header & 0xFFF) + 1)?;
        from += 2 + stored.len();
        let written = if header & CHUNK_IS_COMPRESSED == 0 {
            let len = stored.len().min(chunk.len());
            if let (Some(to), Some(stored)) = (chunk.get_mut(..len), stored.get(..len)) {
                to.copy_from_slice(stored);
            }
            len
        } else {
            decompress_chunk(stored, chunk)?
        };
        if let Some(rest) = chunk.get_mut(written..) {
            rest.fill(0);
        }
    }
    Ok(())
}

/// Returns how many bytes came out.
fn decompress_chunk(input: &[u8], chunk: &mut [u8]) -> Parsed<usize> {
    let (mut from, mut to) = (0, 0);
    while from < input.len() {
        let flags = u8_at(input, from)?;
        from += 1;
        for bit in 0..8 {
            if from >= input.len() || to >= chunk.len() {
                break;
            }
            if flags >> bit & 1 == 0 {
                if let Some(place) = chunk.get_mut(to) {
                    *place = u8_at(input, from)?;
                }
                (from, to) = (from + 1, to + 1);
                continue;
            }
            let pair = u16_at(input, from)?;
            from += 2;
            // The further in, the more bits for the distance and the fewer for the length.
            let distance_bits = (4..12).find(|bits| to <= 1 << bits).unwrap_or(12);
            let len_bits = 16 - distance_bits;
            let distance = usize::from(pair >> len_bits) + 1;
            let len = usize::from(pair & ((1 << len_bits) - 1)) + 3;
            // At the end of a file a chunk is shorter than what it was made of.
            let len = len.min(chunk.len() - to);
            repeat(chunk, to, distance, len)?;
            to += len;
        }
        if to >= chunk.len() {
            break;
        }
    }
    Ok(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_is_decompressed() {
        // MS-XCA 3.3.
        let input = [
            0x38, 0xB0, 0x88, 0x46, 0x23, 0x20, 0x00, 0x20, 0x47, 0x20, 0x41, 0x00, 0x10, 0xA2,
            0x47, 0x01, 0xA0, 0x45, 0x20, 0x44, 0x00, 0x08, 0x45, 0x01, 0x50, 0x79, 0x00, 0xC0,
            0x45, 0x20, 0x05, 0x24, 0x13, 0x88, 0x05, 0xB4, 0x02, 0x4A, 0x44, 0xEF, 0x03, 0x58,
            0x02, 0x8C, 0x09, 0x16, 0x01, 0x48, 0x45, 0x00, 0xBE, 0x00, 0x9E, 0x00, 0x04, 0x01,
            0x18, 0x90, 0x00,
        ];
        let expected = b"F# F# G A A G F# E D D E F# F# E E F# F# G A A G F# E D D E F# E D D \
            E E F# D E F# G F# D E F# G F# E D E A F# F# G A A G F# E D D E F# E D D\0";
        let mut output = vec![0xAA; 200];
        decompress_lznt1(&input, &mut output).unwrap();
        assert_eq!(&output[..expected.len()], expected);
        assert!(output[expected.len()..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn what_is_no_chunk_is_an_error() {
        let mut output = vec![0; 4096];
        assert!(decompress_lznt1(&[0x00, 0x80, 1], &mut output).is_err());
        assert!(decompress_lznt1(&[0xFF, 0xBF, 1], &mut output).is_err());
        // A repetition of what is before the begin.
        assert!(decompress_lznt1(&[0x02, 0xB0, 0x01, 0x00, 0x00], &mut output).is_err());
    }
}
