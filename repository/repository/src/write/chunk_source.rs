//! A block device in chunks: what it says of them, and their bytes.

use std::ops::Range;

use block_io::{BlockDevice, ByteRanges, ExtentKind};

use crate::RepositoryError;
use crate::format::EntryKind;
use crate::read::MapShape;

/// What is read, hashed and put into a pack at a time, in bytes.
const BATCH_BYTES: usize = 1 << 20;

/// A block device in chunks.
#[derive(Clone, Copy)]
pub(crate) struct ChunkSource<'a> {
    pub(crate) device: &'a dyn BlockDevice,
    pub(crate) shape: MapShape,
    /// Whole chunks that are left out.
    pub(crate) skip: &'a ByteRanges,
}

impl ChunkSource<'_> {
    /// Returns how many chunks are read at a time, at least one.
    pub(crate) fn batch_chunks(self) -> usize {
        (BATCH_BYTES / self.chunk_bytes()).max(1)
    }

    /// Returns a buffer for a batch.
    pub(crate) fn batch_buffer(self) -> Vec<u8> {
        vec![0; self.batch_chunks() * self.chunk_bytes()]
    }

    /// Returns the size of a chunk, which is at most 4 MiB.
    pub(crate) fn chunk_bytes(self) -> usize {
        usize::try_from(self.shape.chunk_bytes).unwrap_or(1)
    }

    /// Returns where in the disk a chunk lies.
    pub(crate) fn span(self, chunk: u64) -> Range<u64> {
        let start = chunk.saturating_mul(self.shape.chunk_bytes);
        start..start.saturating_add(self.shape.chunk_len(chunk) as u64)
    }

    /// Says whether a chunk is left out.
    pub(crate) fn skips(self, chunk: u64) -> bool {
        self.skip.intersects(self.span(chunk))
    }

    /// Says of each chunk whether it must be read (`Stored`), is left out, or what the device says
    /// it is. Of what holds nothing nothing is left out.
    pub(crate) fn classify(self, chunks: Range<u64>) -> Result<Vec<EntryKind>, RepositoryError> {
        let chunk_bytes = self.shape.chunk_bytes;
        // A batch.
        let count = usize::try_from(chunks.end.saturating_sub(chunks.start)).unwrap_or(0);
        let mut kinds = vec![EntryKind::NotAllocated; count];
        let start = chunks.start * chunk_bytes;
        let end = (chunks.end * chunk_bytes).min(self.shape.size_bytes);
        let mut position = start;
        while position < end {
            let extent = self.device.extent_at(position, end - position)?;
            let kind = match extent.kind {
                ExtentKind::Data => EntryKind::Stored,
                ExtentKind::Zero => EntryKind::Zero,
                ExtentKind::NotAllocated => EntryKind::NotAllocated,
            };
            let extent_end = position + extent.len_bytes.clamp(1, end - position);
            let first = (position - start) / chunk_bytes;
            let last = (extent_end - 1 - start) / chunk_bytes;
            for number in first..=last {
                // Data anywhere in a chunk makes it data; zero outweighs not allocated.
                let number = usize::try_from(number).unwrap_or(usize::MAX);
                let Some(known) = kinds.get_mut(number) else {
                    continue;
                };
                *known = match (*known, kind) {
                    (EntryKind::Stored, _) | (_, EntryKind::Stored) => EntryKind::Stored,
                    (EntryKind::Zero, _) | (_, EntryKind::Zero) => EntryKind::Zero,
                    (other, _) => other,
                };
            }
            position = extent_end;
        }
        for (kind, chunk) in kinds.iter_mut().zip(chunks) {
            if *kind == EntryKind::Stored && self.skips(chunk) {
                *kind = EntryKind::Skipped;
            }
        }
        Ok(kinds)
    }

    /// Reads the chunks that must be read, neighbours together, to their places in the buffer;
    /// returns the bytes that were read.
    pub(crate) fn read(
        self,
        first_chunk: u64,
        kinds: &[EntryKind],
        buffer: &mut [u8],
    ) -> Result<u64, RepositoryError> {
        let chunk_bytes = self.chunk_bytes();
        let mut read_bytes = 0;
        let mut number = 0;
        while number < kinds.len() {
            let run = kinds[number..]
                .iter()
                .take_while(|kind| **kind == EntryKind::Stored)
                .count();
            if run > 0 {
                let first = first_chunk + number as u64;
                let last_len = self.shape.chunk_len(first + run as u64 - 1);
                let len = (run - 1) * chunk_bytes + last_len;
                let start = number * chunk_bytes;
                let target = &mut buffer[start..start + len];
                self.device
                    .read_at(first * self.shape.chunk_bytes, target)?;
                read_bytes += len as u64;
            }
            number += run.max(1);
        }
        Ok(read_bytes)
    }
}
