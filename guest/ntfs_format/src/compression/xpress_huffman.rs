//! XPRESS Huffman (MS-XCA 2.1 and 2.2).

use crate::compression::bits::Bits;
use crate::compression::huffman::Huffman;
use crate::compression::repeat;
use crate::fields::part;
use crate::malformed::{Malformed, Parsed, ensure};

/// A byte for each two symbols of 512.
const TABLE_BYTES: usize = 256;
/// A code is made anew for each of these of what comes out.
const BLOCK_BYTES: usize = 64 << 10;

/// Decompresses as much as `output` is long, at most 64 KiB.
///
/// # Errors
///
/// Where the input breaks the format's rules or ends before `output` is full.
pub fn decompress_xpress_huffman(input: &[u8], output: &mut [u8]) -> Parsed<()> {
    ensure(
        output.len() <= BLOCK_BYTES,
        "more is compressed together than one code is for",
    )?;
    let lengths: Vec<u8> = part(input, 0, TABLE_BYTES)?
        .iter()
        .flat_map(|byte| [byte & 15, byte >> 4])
        .collect();
    let code = Huffman::new(&lengths)?;
    let mut bits = Bits::new(input.get(TABLE_BYTES..).unwrap_or_default());
    let mut at = 0;
    while at < output.len() {
        let symbol = code.symbol(&mut bits)?;
        if let Ok(byte) = u8::try_from(symbol) {
            if let Some(place) = output.get_mut(at) {
                *place = byte;
            }
            at += 1;
            continue;
        }
        let (distance_bits, mut len) = ((symbol - 256) >> 4, symbol & 15);
        if len == 15 {
            len += usize::from(bits.byte()?);
            if len == 15 + 255 {
                len = usize::from(u16::from_le_bytes([bits.byte()?, bits.byte()?]));
                ensure(len >= 15, "a repetition is longer than it says")?;
            }
        }
        let distance_bits = u32::try_from(distance_bits).unwrap_or(0);
        let distance = (1 << distance_bits) + bits.take(distance_bits)?;
        let distance = usize::try_from(distance)
            .map_err(|_| Malformed::new("a repetition is too far away"))?;
        repeat(output, at, distance, len + 3)?;
        at += len + 3;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_specification_are_decompressed() {
        // MS-XCA 3.2: the letters of the alphabet, and `abc` a hundred times.
        let mut letters = [0; 276];
        letters[48] = 0x50;
        letters[49..59].fill(0x55);
        letters[59..62].copy_from_slice(&[0x45, 0x44, 0x04]);
        letters[128] = 0x04;
        letters[256..].copy_from_slice(&[
            0xD8, 0x52, 0x3E, 0xD7, 0x94, 0x11, 0x5B, 0xE9, 0x19, 0x5F, 0xF9, 0xD6, 0x7C, 0xDF,
            0x8D, 0x04, 0x00, 0x00, 0x00, 0x00,
        ]);
        let mut output = [0; 26];
        decompress_xpress_huffman(&letters, &mut output).unwrap();
        assert_eq!(&output, b"abcdefghijklmnopqrstuvwxyz");

        let mut hundred = [0; 263];
        hundred[48..50].copy_from_slice(&[0x30, 0x23]);
        hundred[128] = 0x02;
        hundred[143] = 0x20;
        hundred[256..].copy_from_slice(&[0xA8, 0xDC, 0x00, 0x00, 0xFF, 0x26, 0x01]);
        let mut output = [0; 300];
        decompress_xpress_huffman(&hundred, &mut output).unwrap();
        assert_eq!(output.as_slice(), b"abc".repeat(100));
    }

    #[test]
    fn what_ends_early_or_repeats_nothing_is_an_error() {
        let mut output = [0; 26];
        assert!(decompress_xpress_huffman(&[0; 255], &mut output).is_err());
        assert!(decompress_xpress_huffman(&[0; 300], &mut output).is_err());
        let mut repeats = [0; 300];
        // One symbol alone: a repetition, before anything was written.
        repeats[128] = 0x01;
        assert!(decompress_xpress_huffman(&repeats, &mut output).is_err());
    }
}
