//! Files that Windows compressed by itself (CompactOS, `compact /exe`).
//!
//! The file's own content is a hole. A stream holds a table of where each piece ends, and the pieces,
//! one after the other; a piece that would not have become shorter is stored as it is.

use ntfs_format::{WofAlgorithm, decompress_lzx, decompress_xpress_huffman, fields};

use super::content::{Content, LastPiece, count, length};
use super::table::{Table, corrupt};
use crate::FileError;

/// Content that is compressed in pieces.
pub(super) struct WofContent {
    pub(super) size_bytes: u64,
    /// The stream with the table and the pieces.
    pub(super) stored: Content,
    pub(super) algorithm: WofAlgorithm,
    pub(super) last: LastPiece,
}

impl WofContent {
    pub(super) fn read(&self, table: &Table, offset: u64, buf: &mut [u8]) -> Result<(), FileError> {
        let chunk_bytes = u64::from(self.algorithm.chunk_bytes());
        let (mut at, mut rest) = (offset, buf);
        while !rest.is_empty() {
            let chunk = at / chunk_bytes;
            let copied = self.last.copy(chunk, length(at % chunk_bytes), rest, || {
                self.chunk(table, chunk)
            })?;
            if copied == 0 {
                return Err(corrupt("a compressed file ends too early"));
            }
            at += count(copied);
            rest = rest.split_at_mut(copied).1;
        }
        Ok(())
    }

    fn chunk(&self, table: &Table, number: u64) -> Result<Vec<u8>, FileError> {
        let chunk_bytes = u64::from(self.algorithm.chunk_bytes());
        let chunks = self.size_bytes.div_ceil(chunk_bytes);
        // A table of one piece is empty: each entry tells where the piece behind it begins.
        let entry_bytes = if u32::try_from(self.size_bytes).is_ok() {
            4
        } else {
            8
        };
        let table_bytes = chunks.saturating_sub(1).saturating_mul(entry_bytes);
        let stored_bytes = match &self.stored {
            Content::Resident(bytes) => count(bytes.len()),
            Content::Runs(runs) => runs.len_bytes,
        };
        let begin_of = |number: u64| -> Result<u64, FileError> {
            if number == 0 {
                return Ok(table_bytes);
            }
            if number == chunks {
                return Ok(stored_bytes);
            }
            let mut entry = [0; 8];
            let (used, _) = entry.split_at_mut(length(entry_bytes));
            self.stored(table, (number - 1) * entry_bytes, used)?;
            Ok(fields::u64_at(&entry, 0)?.saturating_add(table_bytes))
        };
        let (begin, end) = (begin_of(number)?, begin_of(number + 1)?);
        let len = chunk_bytes.min(self.size_bytes.saturating_sub(number * chunk_bytes));
        if begin > end || end - begin > len || end > stored_bytes {
            return Err(corrupt(
                "a piece of a compressed file is longer than what it holds",
            ));
        }
        let mut input = vec![0; length(end - begin)];
        self.stored(table, begin, &mut input)?;
        if end - begin == len {
            return Ok(input);
        }
        let mut output = vec![0; length(len)];
        match self.algorithm {
            WofAlgorithm::Xpress(_) => decompress_xpress_huffman(&input, &mut output)?,
            WofAlgorithm::Lzx => decompress_lzx(&input, &mut output)?,
        }
        Ok(output)
    }

    /// Reads what is stored.
    fn stored(&self, table: &Table, offset: u64, buf: &mut [u8]) -> Result<(), FileError> {
        match &self.stored {
            Content::Resident(bytes) => {
                let there = fields::part(bytes, length(offset), buf.len())?;
                buf.copy_from_slice(there);
                Ok(())
            }
            Content::Runs(runs) => table.read_structure(runs, offset, buf),
        }
    }
}
