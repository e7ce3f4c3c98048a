//! Canonical prefix codes, the highest bit first.

use crate::compression::bits::Bits;
use crate::malformed::{Malformed, Parsed, ensure};

/// The longest code.
const BITS_MAX: usize = 16;
/// Codes up to this length are looked up at once.
const FAST_BITS: usize = 9;

/// A code, made of the lengths of its symbols' codes.
pub(super) struct Huffman {
    /// By the next bits: the symbol, and in the lower five bits its length; zero for a longer code.
    fast: Vec<u16>,
    /// For each length: its first code, how many there are, and where their symbols begin.
    lengths: [(u32, u32, u32); BITS_MAX + 1],
    /// Symbols by their codes.
    symbols: Vec<u16>,
}

impl Huffman {
    /// Makes a code; `lengths` has one of 0 to 16 for each symbol, of which there are at most 1024.
    pub(super) fn new(lengths: &[u8]) -> Parsed<Self> {
        let mut sorted: Vec<(u8, u16)> = lengths
            .iter()
            .zip(0..1024)
            .filter(|(len, _)| **len > 0)
            .map(|(len, symbol)| (*len, symbol))
            .collect();
        sorted.sort_unstable();
        let mut code = Self {
            fast: vec![0; 1 << FAST_BITS],
            lengths: [(0, 0, 0); BITS_MAX + 1],
            symbols: sorted.iter().map(|(_, symbol)| *symbol).collect(),
        };
        let (mut next, mut from) = (0_u32, 0_u32);
        for (len, row) in code.lengths.iter_mut().enumerate().skip(1) {
            next <<= 1;
            let rest = sorted.iter().skip(usize::try_from(from).unwrap_or(0));
            let count = rest.take_while(|(own, _)| usize::from(*own) == len).count();
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            *row = (next, count, from);
            next += count;
            from += count;
            ensure(
                next <= 1 << len,
                "a Huffman code has more symbols than room",
            )?;
        }
        ensure(
            from == u32::try_from(sorted.len()).unwrap_or(u32::MAX),
            "a Huffman code is longer than any",
        )?;
        code.fill_fast(&sorted);
        Ok(code)
    }

    fn fill_fast(&mut self, sorted: &[(u8, u16)]) {
        let mut at = 0;
        for (len, symbol) in sorted {
            let len = usize::from(*len);
            if len > FAST_BITS {
                return;
            }
            let span = 1 << (FAST_BITS - len);
            let entry = symbol << 5 | u16::from(len.to_le_bytes()[0]);
            if let Some(places) = self.fast.get_mut(at..at + span) {
                places.fill(entry);
            }
            at += span;
        }
    }

    /// Reads a symbol.
    pub(super) fn symbol(&self, bits: &mut Bits<'_>) -> Parsed<usize> {
        let ahead = bits.look(16)?;
        let fast = ahead >> (BITS_MAX - FAST_BITS);
        let entry = self.fast.get(usize::try_from(fast).unwrap_or(0)).copied();
        if let Some(entry @ 1..) = entry {
            bits.take(u32::from(entry & 31))?;
            return Ok(usize::from(entry >> 5));
        }
        for (len, (first, count, from)) in (0_u32..).zip(self.lengths).skip(FAST_BITS + 1) {
            let code = ahead >> (16 - len);
            if code >= first && code - first < count {
                bits.take(len)?;
                let at = usize::try_from(from + code - first).unwrap_or(usize::MAX);
                return self
                    .symbols
                    .get(at)
                    .copied()
                    .map(usize::from)
                    .ok_or(UNKNOWN);
            }
        }
        Err(UNKNOWN)
    }
}

const UNKNOWN: Malformed = Malformed::new("compressed bytes have a code that stands for nothing");
