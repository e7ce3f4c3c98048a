//! LZX as Windows images (WIM) and WOF have it: a window of 32 KiB, each piece by itself.
//!
//! Against MS-PATCH and cabinets: no header, blocks say with one bit that they are of 32 KiB, and
//! targets of x86's calls are put back as if each file were 12,000,000 bytes long.

use crate::compression::bits::Bits;
use crate::compression::huffman::Huffman;
use crate::compression::repeat;
use crate::malformed::{Malformed, Parsed, ensure};

const CHUNK_BYTES: usize = 32 << 10;
/// 256 bytes, and eight lengths for each of 30 positions.
const MAIN_SYMBOLS: usize = 256 + 8 * POSITIONS;
const POSITIONS: usize = 30;
const LENGTH_SYMBOLS: usize = 249;
const MATCH_BYTES_MIN: usize = 2;
/// What x86's calls are taken to be in.
const CALLS_FILE_BYTES: i32 = 12_000_000;

/// Lengths of codes, which each block tells as differences from those of the block before.
struct Lengths {
    main: [u8; MAIN_SYMBOLS],
    length: [u8; LENGTH_SYMBOLS],
}

/// The codes of a block.
struct Codes {
    main: Huffman,
    length: Huffman,
    aligned: Option<Huffman>,
}

/// Decompresses as much as `output` is long, at most 32 KiB.
///
/// # Errors
///
/// Where the input breaks the format's rules or ends before `output` is full.
pub fn decompress_lzx(input: &[u8], output: &mut [u8]) -> Parsed<()> {
    ensure(
        output.len() <= CHUNK_BYTES,
        "more is compressed together than the window holds",
    )?;
    let mut bits = Bits::new(input);
    let mut lengths = Lengths {
        main: [0; MAIN_SYMBOLS],
        length: [0; LENGTH_SYMBOLS],
    };
    let mut recent = [1; 3];
    let mut at = 0;
    while at < output.len() {
        let kind = bits.take(3)?;
        let len = if bits.take(1)? == 1 {
            CHUNK_BYTES
        } else {
            usize::try_from(bits.take(16)?).unwrap_or(0)
        };
        ensure(
            len > 0 && len <= output.len() - at,
            "a block is longer than its piece",
        )?;
        let end = at + len;
        match kind {
            1 | 2 => {
                let codes = codes(&mut bits, &mut lengths, kind == 2)?;
                while at < end {
                    at += symbol(&mut bits, &codes, &mut recent, output, at, end)?;
                }
            }
            3 => {
                stored(&mut bits, &mut recent, output, at, len)?;
                at = end;
            }
            _ => return Err(Malformed::new("a block is of no kind")),
        }
    }
    put_calls_back(output);
    Ok(())
}

/// Copies a block that is not compressed.
fn stored(
    bits: &mut Bits<'_>,
    recent: &mut [usize; 3],
    output: &mut [u8],
    at: usize,
    len: usize,
) -> Parsed<()> {
    bits.align()?;
    for place in recent {
        let word = bits.bytes(4)?.first_chunk().copied().unwrap_or_default();
        *place = usize::try_from(u32::from_le_bytes(word)).unwrap_or(0);
    }
    let bytes = bits.bytes(len)?;
    if len % 2 == 1 {
        bits.bytes(1)?;
    }
    if let Some(place) = output.get_mut(at..at + len) {
        place.copy_from_slice(bytes);
    }
    Ok(())
}

fn codes(bits: &mut Bits<'_>, lengths: &mut Lengths, has_aligned: bool) -> Parsed<Codes> {
    let aligned = if has_aligned {
        let mut lengths = [0; 8];
        for len in &mut lengths {
            *len = small(bits, 3)?;
        }
        Some(Huffman::new(&lengths)?)
    } else {
        None
    };
    let (bytes, matches) = lengths.main.split_at_mut(256);
    change_lengths(bits, bytes)?;
    change_lengths(bits, matches)?;
    change_lengths(bits, &mut lengths.length)?;
    Ok(Codes {
        main: Huffman::new(&lengths.main)?,
        length: Huffman::new(&lengths.length)?,
        aligned,
    })
}

fn small(bits: &mut Bits<'_>, count: u32) -> Parsed<u8> {
    Ok(bits.take(count)?.to_le_bytes()[0])
}

/// Reads lengths of codes, as differences in a code of their own.
fn change_lengths(bits: &mut Bits<'_>, lengths: &mut [u8]) -> Parsed<()> {
    let mut own = [0; 20];
    for len in &mut own {
        *len = small(bits, 4)?;
    }
    let code = Huffman::new(&own)?;
    let changed = |known: u8, symbol: usize| {
        let symbol = u8::try_from(symbol).unwrap_or(0);
        (known + 17).wrapping_sub(symbol) % 17
    };
    let mut at = 0;
    while at < lengths.len() {
        let symbol = code.symbol(bits)?;
        let known = lengths.get(at).copied().unwrap_or(0);
        let (count, len) = match symbol {
            17 => (4 + bits.take(4)?, 0),
            18 => (20 + bits.take(5)?, 0),
            19 => {
                let count = 4 + bits.take(1)?;
                let symbol = code.symbol(bits)?;
                ensure(symbol < 17, "lengths of codes make no sense")?;
                (count, changed(known, symbol))
            }
            symbol => (1, changed(known, symbol)),
        };
        let count = usize::try_from(count).unwrap_or(0);
        let end = at.saturating_add(count).min(lengths.len());
        if let Some(places) = lengths.get_mut(at..end) {
            places.fill(len);
        }
        at = end;
    }
    Ok(())
}

/// Reads a byte or a repetition; returns how many bytes came out.
fn symbol(
    bits: &mut Bits<'_>,
    codes: &Codes,
    recent: &mut [usize; 3],
    output: &mut [u8],
    at: usize,
    end: usize,
) -> Parsed<usize> {
    let symbol = codes.main.symbol(bits)?;
    if let Ok(byte) = u8::try_from(symbol) {
        if let Some(place) = output.get_mut(at) {
            *place = byte;
        }
        return Ok(1);
    }
    let (position, mut len) = ((symbol - 256) >> 3, (symbol - 256) & 7);
    if len == 7 {
        len += codes.length.symbol(bits)?;
    }
    len += MATCH_BYTES_MIN;
    match position {
        0 => {}
        1 => recent.swap(0, 1),
        2 => recent.swap(0, 2),
        position => *recent = [distance(bits, codes, position)?, recent[0], recent[1]],
    }
    ensure(len <= end - at, "a repetition is longer than its block")?;
    repeat(output, at, recent[0], len)?;
    Ok(len)
}

/// Reads a distance that is not one of the recent ones. A position stands for the distances from a
/// power of two, or from one and a half of it, to the next.
fn distance(bits: &mut Bits<'_>, codes: &Codes, position: usize) -> Parsed<usize> {
    let footer = u32::try_from(position / 2).unwrap_or(0).saturating_sub(1);
    let base = match position {
        0..=3 => position,
        position => (2 + position % 2) << footer,
    };
    let rest = match &codes.aligned {
        Some(aligned) if footer >= 3 => {
            let upper = usize::try_from(bits.take(footer - 3)?).unwrap_or(0);
            (upper << 3) + aligned.symbol(bits)?
        }
        _ => usize::try_from(bits.take(footer)?).unwrap_or(0),
    };
    Ok(base + rest - 2)
}

/// Targets of x86's calls (`E8`) were made absolute, so that they repeat; makes them relative again.
fn put_calls_back(bytes: &mut [u8]) {
    let end = bytes.len().saturating_sub(10);
    let mut at = 0;
    while at < end {
        let Some([0xE8, target @ ..]) = bytes
            .get_mut(at..)
            .and_then(|rest| rest.first_chunk_mut::<5>())
        else {
            at += 1;
            continue;
        };
        let absolute = i32::from_le_bytes(*target);
        let here = i32::try_from(at).unwrap_or(0);
        let relative = if (0..CALLS_FILE_BYTES).contains(&absolute) {
            Some(absolute - here)
        } else if (-here..0).contains(&absolute) {
            Some(absolute + CALLS_FILE_BYTES)
        } else {
            None
        };
        if let Some(relative) = relative {
            *target = relative.to_le_bytes();
        }
        at += 5;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_is_stored_comes_out_and_calls_are_put_back() {
        // Kind 3, not of 32 KiB, 20 bytes; aligned; three distances.
        let mut input = vec![0b0110_0000, 0b0000_0000, 0b0001_0100, 0];
        let head: u32 = 0b0110 << 28 | 20 << 12;
        let [high, low] = [head >> 16, head & 0xFFFF].map(|word| word.to_le_bytes());
        input[..4].copy_from_slice(&[high[0], high[1], low[0], low[1]]);
        for _ in 0..3 {
            input.extend([1, 0, 0, 0]);
        }
        let mut bytes = [0x11_u8; 20];
        bytes[4..9].copy_from_slice(&[0xE8, 0x10, 0, 0, 0]);
        input.extend(bytes);
        let mut output = [0; 20];
        decompress_lzx(&input, &mut output).unwrap();
        bytes[5] = 0x0C;
        assert_eq!(output, bytes);
    }

    #[test]
    fn what_is_no_block_is_an_error() {
        let mut output = [0; 100];
        assert!(decompress_lzx(&[], &mut output).is_err());
        assert!(decompress_lzx(&[0; 64], &mut output).is_err());
        assert!(decompress_lzx(&[0xFF; 64], &mut output).is_err());
    }
}
