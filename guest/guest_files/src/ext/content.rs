//! Content of files.

use super::block_map::run_at;
use super::inode::{INLINE, Inode};
use super::{Volume, inline_data};
use crate::posix::fields::index;
use crate::{FileError, FileExtent, GuestFile};

/// An open file.
pub(super) struct ExtFile<'a> {
    pub(super) volume: &'a Volume,
    pub(super) inode: Inode,
}

impl GuestFile for ExtFile<'_> {
    fn size_bytes(&self) -> u64 {
        self.inode.size_bytes
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, FileError> {
        read(self.volume, &self.inode, offset, buf)
            .map_err(|error| error.of(format!("inode {}", self.inode.number)))
    }

    /// Where they will lie: what waits in a journal of data is said to be in its place already.
    fn extents(&self, max: usize) -> Result<Vec<FileExtent>, FileError> {
        let mut found: Vec<FileExtent> = Vec::new();
        if self.inode.flags & INLINE != 0 {
            return Ok(found);
        }
        let block_bytes = u64::from(self.volume.superblock.block_bytes);
        let blocks = self.inode.size_bytes.div_ceil(block_bytes);
        let mut block = 0;
        while block < blocks && found.len() < max {
            let run = run_at(self.volume, &self.inode, block)?;
            if let Some(first) = run.block {
                let file_offset = block * block_bytes;
                let len = run.blocks.saturating_mul(block_bytes);
                found.push(FileExtent {
                    file_offset,
                    volume_offset: self.volume.superblock.block_offset(first)?,
                    len_bytes: len.min(self.inode.size_bytes - file_offset),
                });
            }
            block = block.saturating_add(run.blocks);
        }
        Ok(found)
    }
}

/// Fills `buf` from `offset`; returns how many bytes there were.
pub(super) fn read(
    volume: &Volume,
    inode: &Inode,
    offset: u64,
    buf: &mut [u8],
) -> Result<usize, FileError> {
    let left = inode.size_bytes.saturating_sub(offset);
    let len = buf.len().min(usize::try_from(left).unwrap_or(usize::MAX));
    let buf = buf.get_mut(..len).unwrap_or_default();
    if inode.flags & INLINE != 0 {
        return inline(volume, inode, offset, buf);
    }
    let block_bytes = u64::from(volume.superblock.block_bytes);
    let mut done = 0;
    while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let at = offset + u64::try_from(done).unwrap_or(0);
        let (block, skip) = (at / block_bytes, at % block_bytes);
        let run = run_at(volume, inode, block)?;
        let there = run.blocks.saturating_mul(block_bytes).saturating_sub(skip);
        let take = rest.len().min(usize::try_from(there).unwrap_or(usize::MAX));
        let target = rest.get_mut(..take).unwrap_or_default();
        match run.block {
            Some(first) => {
                let start = volume.superblock.block_offset(first)?;
                volume.reader.read(start.saturating_add(skip), target)?;
            }
            None => target.fill(0),
        }
        done += take.max(1);
    }
    Ok(len)
}

fn inline(volume: &Volume, inode: &Inode, offset: u64, buf: &mut [u8]) -> Result<usize, FileError> {
    let content = inline_data::content(volume, inode)?;
    let source = content
        .get(index(offset)?.min(content.len())..)
        .unwrap_or_default();
    let len = source.len().min(buf.len());
    let (there, beyond) = buf.split_at_mut(len);
    there.copy_from_slice(source.get(..len).unwrap_or_default());
    beyond.fill(0);
    Ok(buf.len())
}
