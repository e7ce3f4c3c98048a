//! Entries of a folder, one of its blocks at a time.

use std::ops::ControlFlow;

use fs_xfs::dir::{self, DirEntry};
use fs_xfs::inode::{Format, Inode};

use super::{block_map, failure};
use crate::FileError;
use crate::posix::corrupt;
use crate::posix::fields::part;
use crate::posix::foreign_reader::guarded;

/// Where the index of a folder begins, in bytes of it.
const INDEX_OFFSET: u64 = 32 << 30;

/// Called with each name and its inode.
pub(super) type Entry<'a> = dyn FnMut(&[u8], u64) -> ControlFlow<()> + 'a;

/// Goes through a folder, `.` and `..` left out.
pub(super) fn for_each(
    fs: &fs_xfs::Filesystem,
    folder: &Inode,
    raw: &[u8],
    visit: &mut Entry<'_>,
) -> Result<(), FileError> {
    let sb = fs.superblock();
    if folder.format == Format::Local {
        let (start, end) = folder.data_fork_range(usize::from(sb.inodesize));
        let fork = part(raw, start, end.saturating_sub(start))?;
        let short = guarded(|| dir::read_short_form(folder, fork, sb).map_err(failure))?;
        let _ = show(&short.entries, visit);
        return Ok(());
    }
    let block_bytes = u64::from(sb.blocksize).max(1);
    let step = (u64::from(sb.dirblocksize()) / block_bytes).max(1);
    let end = folder.size.min(INDEX_OFFSET).div_ceil(block_bytes);
    let mut left = sb.dblocks;
    let mut block = 0;
    while block < end {
        let place = block_map::place_of(fs, folder, raw, block)?;
        if place.offset.is_none() {
            let next = block.saturating_add(place.blocks).next_multiple_of(step);
            block = next;
            continue;
        }
        left = left
            .checked_sub(step)
            .ok_or_else(|| corrupt("a folder is larger than its volume"))?;
        let entries = entries(fs, folder, raw, block, step)?;
        if show(&entries, visit).is_break() {
            return Ok(());
        }
        block += step;
    }
    Ok(())
}

fn show(entries: &[DirEntry], visit: &mut Entry<'_>) -> ControlFlow<()> {
    let shown = entries
        .iter()
        .filter(|entry| !matches!(entry.name.as_slice(), b"." | b".."));
    for entry in shown {
        visit(&entry.name, entry.ino)?;
    }
    ControlFlow::Continue(())
}

/// Reads one block of a folder, which may be several of the volume that do not lie side by side.
fn entries(
    fs: &fs_xfs::Filesystem,
    folder: &Inode,
    raw: &[u8],
    first: u64,
    count: u64,
) -> Result<Vec<DirEntry>, FileError> {
    let sb = fs.superblock();
    let block_bytes = usize::try_from(sb.blocksize).unwrap_or(0);
    let mut bytes = vec![0; usize::try_from(sb.dirblocksize()).unwrap_or(0)];
    let mut start = None;
    for (part, number) in bytes
        .chunks_mut(block_bytes.max(1))
        .zip(first..first + count)
    {
        let place = block_map::place_of(fs, folder, raw, number)?;
        let offset = place
            .offset
            .ok_or_else(|| corrupt("a block of a folder has a hole"))?;
        start.get_or_insert(offset);
        guarded(|| {
            fs.device()
                .read_at(offset, part)
                .map_err(|error| failure(error.into()))
        })?;
    }
    let address = start.unwrap_or(0) / 512;
    guarded(|| {
        dir::verify_data_block(&bytes, sb, address, folder.ino).map_err(failure)?;
        dir::parse_data_block(&bytes, sb).map_err(failure)
    })
}
