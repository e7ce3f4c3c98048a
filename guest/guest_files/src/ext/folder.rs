//! Entries of a folder. The hash tree of a large one lies in blocks that read as empty to whoever does
//! not know it, so all folders are read alike.

use std::ops::ControlFlow;

use super::Volume;
use super::block_map::run_at;
use super::inode::{INLINE, Inode};
use crate::FileError;
use crate::posix::corrupt;
use crate::posix::fields::{le, part, u8_at};

/// What ends a block that has a checksum: an entry of 12 bytes without an inode.
const CHECKSUM_ENTRY: [u8; 8] = [0, 0, 0, 0, 12, 0, 0, 0xDE];

/// Called with each name and its inode.
pub(super) type Entry<'a> = dyn FnMut(&[u8], u32) -> ControlFlow<()> + 'a;

/// Goes through a folder, `.` and `..` left out.
pub(super) fn for_each(
    volume: &Volume,
    folder: &Inode,
    visit: &mut Entry<'_>,
) -> Result<(), FileError> {
    if folder.flags & INLINE != 0 {
        return inline(folder, visit);
    }
    let block_bytes = u64::from(volume.superblock.block_bytes);
    let blocks = folder.size_bytes.div_ceil(block_bytes);
    if blocks > volume.superblock.blocks {
        return Err(corrupt("a folder is larger than its volume"));
    }
    let mut block = 0;
    while block < blocks {
        let run = run_at(volume, folder, block)?;
        if let Some(first) = run.block {
            for number in 0..run.blocks.min(blocks - block) {
                let bytes = volume.block(first.saturating_add(number))?;
                check_sum(folder, &bytes)?;
                if entries(&bytes, visit)?.is_break() {
                    return Ok(());
                }
            }
        }
        block = block.saturating_add(run.blocks);
    }
    Ok(())
}

/// The first four bytes are the folder above; what does not fit beside them is an attribute.
fn inline(folder: &Inode, visit: &mut Entry<'_>) -> Result<(), FileError> {
    let bytes = super::inline_data::content(folder)?;
    let size = usize::try_from(folder.size_bytes).unwrap_or(usize::MAX);
    let bytes = bytes.get(..size.min(bytes.len())).unwrap_or_default();
    let first = bytes.get(4..60.min(bytes.len())).unwrap_or_default();
    if entries(first, visit)?.is_break() {
        return Ok(());
    }
    entries(bytes.get(60..).unwrap_or_default(), visit).map(|_| ())
}

fn entries(bytes: &[u8], visit: &mut Entry<'_>) -> Result<ControlFlow<()>, FileError> {
    let mut at = 0;
    while at < bytes.len() {
        let stored = le::u16_at(bytes, at + 4)?;
        // 64 KiB does not fit in 16 bits.
        let len = match stored {
            0 | 0xFFFF if bytes.len() == 65_536 => 65_536,
            len => usize::from(len),
        };
        let name_len = usize::from(u8_at(bytes, at + 6)?);
        if len < 8 || len % 4 != 0 || at + len > bytes.len() || name_len + 8 > len {
            return Err(corrupt("an entry of a folder does not fit into it"));
        }
        let inode = le::u32_at(bytes, at)?;
        let name = part(bytes, at + 8, name_len)?;
        if inode != 0 && !matches!(name, b"." | b"..") && visit(name, inode).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        at += len;
    }
    Ok(ControlFlow::Continue(()))
}

fn check_sum(folder: &Inode, bytes: &[u8]) -> Result<(), FileError> {
    let (Some(seed), Some(tail)) = (folder.checksum_seed, bytes.len().checked_sub(12)) else {
        return Ok(());
    };
    // The blocks of the hash tree have theirs elsewhere, and what is left of an older one may look like
    // this: it counts where the entries lead to it.
    let mut at = 0;
    while at < tail {
        at += usize::from(le::u16_at(bytes, at + 4)?.max(4));
    }
    if at != tail || part(bytes, tail, 8)? != CHECKSUM_ENTRY {
        return Ok(());
    }
    if super::crc32c(seed, part(bytes, 0, tail)?) != le::u32_at(bytes, tail + 8)? {
        return Err(corrupt("a block of a folder has another checksum"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(inode: u32, len: u16, name: &[u8]) -> Vec<u8> {
        let mut bytes = inode.to_le_bytes().to_vec();
        bytes.extend(len.to_le_bytes());
        bytes.extend([u8::try_from(name.len()).unwrap(), 1]);
        bytes.extend(name);
        bytes.resize(usize::from(len), 0);
        bytes
    }

    #[test]
    fn entries_are_named_and_removed_ones_are_not() {
        let bytes = [
            entry(2, 12, b"."),
            entry(2, 12, b".."),
            entry(0, 16, b"gone"),
            entry(12, 24, b"there"),
        ]
        .concat();
        let mut found = Vec::new();
        let flow = entries(&bytes, &mut |name, inode| {
            found.push((name.to_vec(), inode));
            ControlFlow::Continue(())
        });
        assert!(flow.unwrap().is_continue());
        assert_eq!(found, [(b"there".to_vec(), 12)]);
    }

    #[test]
    fn an_entry_that_leads_nowhere_is_damage_not_a_loop() {
        for len in [0, 4, 9, 400] {
            let mut bytes = entry(12, 24, b"there");
            bytes[4..6].copy_from_slice(&u16::to_le_bytes(len));
            assert!(entries(&bytes, &mut |_, _| ControlFlow::Continue(())).is_err());
        }
    }
}
