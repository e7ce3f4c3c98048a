//! Content of files.

use super::block_map::run_at;
use super::inode::{INLINE, Inode};
use super::{Volume, inline_data};
use crate::posix::fields::index;
use crate::posix::mapped_content::{MappedContent, Place};
use crate::{FileError, FileExtent, GuestFile, PlainRun};

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
        self.extents_from(0, max)
    }

    fn extents_from(&self, from: u64, max: usize) -> Result<Vec<FileExtent>, FileError> {
        if self.inode.flags & INLINE != 0 {
            return Ok(Vec::new());
        }
        mapped(self.volume, &self.inode).extents(from, max)
    }

    fn plain_at(&self, offset: u64) -> Result<Option<PlainRun>, FileError> {
        if self.inode.flags & INLINE != 0 {
            return Ok(None);
        }
        mapped(self.volume, &self.inode).plain_at(offset)
    }
}

/// Fills `buf` from `offset`; returns how many bytes there were.
pub(super) fn read(
    volume: &Volume,
    inode: &Inode,
    offset: u64,
    buf: &mut [u8],
) -> Result<usize, FileError> {
    if inode.flags & INLINE == 0 {
        return mapped(volume, inode).read(offset, buf);
    }
    let left = inode.size_bytes.saturating_sub(offset);
    let len = buf.len().min(usize::try_from(left).unwrap_or(usize::MAX));
    inline(inode, offset, buf.get_mut(..len).unwrap_or_default())
}

fn mapped<'a>(
    volume: &'a Volume,
    inode: &'a Inode,
) -> MappedContent<'a, impl Fn(u64) -> Result<Place, FileError> + 'a> {
    MappedContent {
        reader: &volume.reader,
        block_bytes: u64::from(volume.superblock.block_bytes),
        size_bytes: inode.size_bytes,
        place_of: |block| {
            let run = run_at(volume, inode, block)?;
            let offset = run.block.map(|block| volume.superblock.block_offset(block));
            Ok(Place {
                offset: offset.transpose()?,
                blocks: run.blocks,
            })
        },
    }
}

fn inline(inode: &Inode, offset: u64, buf: &mut [u8]) -> Result<usize, FileError> {
    let content = inline_data::content(inode)?;
    let source = content
        .get(index(offset)?.min(content.len())..)
        .unwrap_or_default();
    let len = source.len().min(buf.len());
    let (there, beyond) = buf.split_at_mut(len);
    there.copy_from_slice(source.get(..len).unwrap_or_default());
    beyond.fill(0);
    Ok(buf.len())
}
