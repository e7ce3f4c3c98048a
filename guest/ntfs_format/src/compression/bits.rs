//! Bits of words of 16 bits, the highest first: XPRESS Huffman and LZX.

use crate::malformed::{Malformed, Parsed};

/// Reads bits. Behind the end there are as many zeros as a symbol may look ahead.
pub(super) struct Bits<'a> {
    input: &'a [u8],
    /// The byte that is read next.
    next: usize,
    /// The bits that are read next are its highest.
    held: u32,
    count: u32,
    /// Words behind the end that were taken.
    beyond: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self {
            input,
            next: 0,
            held: 0,
            count: 0,
            beyond: 0,
        }
    }

    /// Sees to it that 16 bits are there.
    pub(super) fn fill(&mut self) -> Parsed<()> {
        if self.count >= 16 {
            return Ok(());
        }
        let word = match self.input.get(self.next..) {
            Some([low, high, ..]) => u16::from_le_bytes([*low, *high]),
            _ if self.beyond < 4 => {
                self.beyond += 1;
                0
            }
            _ => return Err(Malformed::new("compressed bytes end too early")),
        };
        self.next = (self.next + 2).min(self.input.len());
        self.held |= u32::from(word) << (16 - self.count);
        self.count += 16;
        Ok(())
    }

    /// Returns the next `count` bits, at most 16, without taking them.
    pub(super) fn look(&mut self, count: u32) -> Parsed<u32> {
        self.fill()?;
        Ok(self.held.checked_shr(32 - count).unwrap_or(0))
    }

    /// Takes the next `count` bits, at most 16.
    pub(super) fn take(&mut self, count: u32) -> Parsed<u32> {
        let bits = self.look(count)?;
        self.held <<= count;
        self.count -= count;
        Ok(bits)
    }

    /// Takes the next byte behind the words that a symbol may need.
    pub(super) fn byte(&mut self) -> Parsed<u8> {
        self.fill()?;
        let byte = self.input.get(self.next).copied();
        self.next += 1;
        byte.ok_or(Malformed::new("compressed bytes end too early"))
    }

    /// Lets go what is left of the current word, or a whole word where nothing is.
    pub(super) fn align(&mut self) -> Parsed<()> {
        if self.count == 0 {
            self.fill()?;
        }
        if self.count > 16 && self.beyond == 0 {
            // A whole word is held behind what is left of the current one.
            self.next -= 2;
        }
        (self.held, self.count) = (0, 0);
        Ok(())
    }

    /// Returns the `len` bytes behind the words that were read.
    pub(super) fn bytes(&mut self, len: usize) -> Parsed<&'a [u8]> {
        let found = self.input.get(self.next..self.next.saturating_add(len));
        self.next = self.next.saturating_add(len);
        found.ok_or(Malformed::new("compressed bytes end too early"))
    }
}
