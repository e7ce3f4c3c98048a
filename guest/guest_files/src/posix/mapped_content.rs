//! Content that lies in blocks which a file system maps, run by run.

use super::volume_reader::VolumeReader;
use crate::{Coding, FileError, FileExtent, PlainRun};

/// Blocks of a file that lie side by side, or nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Where on the volume the first lies, in bytes; `None` where the file reads as zeros.
    pub(crate) offset: Option<u64>,
    /// How many blocks, from the one that was asked for; at least one.
    pub(crate) blocks: u64,
}

/// Content, by where its blocks lie.
pub(crate) struct MappedContent<'a, M> {
    pub(crate) reader: &'a VolumeReader,
    pub(crate) block_bytes: u64,
    pub(crate) size_bytes: u64,
    /// Says where a block lies.
    pub(crate) place_of: M,
}

impl<M: Fn(u64) -> Result<Place, FileError>> MappedContent<'_, M> {
    /// Fills `buf` from `offset`; returns how many bytes there were.
    pub(crate) fn read(&self, offset: u64, buf: &mut [u8]) -> Result<usize, FileError> {
        let left = self.size_bytes.saturating_sub(offset);
        let len = buf.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let buf = buf.get_mut(..len).unwrap_or_default();
        let mut done = 0;
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = offset + u64::try_from(done).unwrap_or(0);
            let (block, skip) = (at / self.block_bytes, at % self.block_bytes);
            let place = (self.place_of)(block)?;
            let there = place.blocks.saturating_mul(self.block_bytes);
            let there = usize::try_from(there.saturating_sub(skip)).unwrap_or(usize::MAX);
            let take = rest.len().min(there);
            let target = rest.get_mut(..take).unwrap_or_default();
            match place.offset {
                Some(start) => self.reader.read(start.saturating_add(skip), target)?,
                None => target.fill(0),
            }
            done += take.max(1);
        }
        Ok(len)
    }

    /// Says where the bytes at `offset` lie on the disks.
    pub(crate) fn plain_at(&self, offset: u64) -> Result<Option<PlainRun>, FileError> {
        let skip = offset % self.block_bytes;
        let place = (self.place_of)(offset / self.block_bytes)?;
        let len_bytes = place.blocks.saturating_mul(self.block_bytes) - skip;
        Ok(match place.offset {
            Some(start) => self.reader.plain_run(start.saturating_add(skip), len_bytes),
            None => PlainRun::zeros(len_bytes),
        })
    }

    /// Says where it lies from the block that `from` is in, at most `max` places.
    pub(crate) fn extents(&self, from: u64, max: usize) -> Result<Vec<FileExtent>, FileError> {
        let mut found: Vec<FileExtent> = Vec::new();
        let blocks = self.size_bytes.div_ceil(self.block_bytes);
        let mut block = from / self.block_bytes;
        while block < blocks && found.len() < max {
            let place = (self.place_of)(block)?;
            if let Some(volume_offset) = place.offset {
                let file_offset = block * self.block_bytes;
                let len = place.blocks.saturating_mul(self.block_bytes);
                found.push(FileExtent {
                    file_offset,
                    volume_offset,
                    len_bytes: len.min(self.size_bytes - file_offset),
                    coding: Coding::Plain,
                });
            }
            block = block.saturating_add(place.blocks);
        }
        Ok(found)
    }
}
