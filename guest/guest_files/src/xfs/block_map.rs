//! Where the blocks of a fork lie: in the inode, or in a tree. Only what is asked for is read, since a
//! file may have millions of extents.

use fs_xfs::inode::{Format, Inode};
use fs_xfs::superblock::Superblock;

use super::failure;
use crate::FileError;
use crate::posix::corrupt;
use crate::posix::fields::{be, le, part};
use crate::posix::mapped_content::Place;

const EXTENT_BYTES: usize = 16;
/// No tree of extents is deeper.
const MOST_LEVELS: u16 = 9;
/// Where nothing follows.
const END: u64 = 1 << 54;

/// Says where a block of an inode's data lies, and how many behind it lie likewise.
pub(super) fn place_of(
    fs: &fs_xfs::Filesystem,
    inode: &Inode,
    raw: &[u8],
    block: u64,
) -> Result<Place, FileError> {
    let sb = fs.superblock();
    let (start, end) = inode.data_fork_range(usize::from(sb.inodesize));
    let fork = part(raw, start, end.saturating_sub(start))?;
    match inode.format {
        Format::Extents => {
            let count = usize::try_from(inode.nextents).unwrap_or(usize::MAX);
            let records = part(fork, 0, count.saturating_mul(EXTENT_BYTES))?;
            in_leaf(sb, records, block, END)
        }
        Format::Btree => in_tree(fs, inode, fork, block),
        _ => Err(corrupt("it has no extents where it should have some")),
    }
}

/// One node of the tree: its level, and what it holds.
struct Node {
    level: u16,
    records: Vec<u8>,
    pointers: Vec<u8>,
}

fn in_tree(
    fs: &fs_xfs::Filesystem,
    inode: &Inode,
    root: &[u8],
    wanted: u64,
) -> Result<Place, FileError> {
    let mut node = parse(root, 0, 4)?;
    if node.level == 0 || node.level > MOST_LEVELS {
        return Err(corrupt("the root of its extents has a level that none has"));
    }
    let mut end = END;
    loop {
        if node.level == 0 {
            return in_leaf(fs.superblock(), &node.records, wanted, end);
        }
        let keys: &[[u8; 8]] = node.records.as_chunks().0;
        let key = |bytes: &[u8; 8]| u64::from_be_bytes(*bytes);
        let after = keys.partition_point(|bytes| key(bytes) <= wanted);
        if let Some(next) = keys.get(after) {
            end = end.min(key(next));
        }
        let Some(slot) = after.checked_sub(1) else {
            return Ok(hole(wanted, end));
        };
        let pointers: &[[u8; 8]] = node.pointers.as_chunks().0;
        let child = pointers.get(slot).map(|bytes| u64::from_be_bytes(*bytes));
        let child = child.ok_or_else(|| corrupt("a node of its extents is short"))?;
        let expected = node.level - 1;
        node = block(fs, inode, child)?;
        if node.level != expected {
            return Err(corrupt("its extents do not get to an end"));
        }
    }
}

/// Takes a node whose level stands at `level_at` and whose records begin at `header`.
fn parse(bytes: &[u8], level_at: usize, header: usize) -> Result<Node, FileError> {
    let (level, count) = (
        be::u16_at(bytes, level_at)?,
        usize::from(be::u16_at(bytes, level_at + 2)?),
    );
    let room = bytes.len().saturating_sub(header) / 16;
    if count > room {
        return Err(corrupt("a node of its extents holds more than it can"));
    }
    let (record_bytes, pointers) = match level {
        0 => (EXTENT_BYTES, Vec::new()),
        _ => (8, part(bytes, header + room * 8, count * 8)?.to_vec()),
    };
    Ok(Node {
        level,
        records: part(bytes, header, count * record_bytes)?.to_vec(),
        pointers,
    })
}

fn block(fs: &fs_xfs::Filesystem, inode: &Inode, number: u64) -> Result<Node, FileError> {
    const CHECKSUM: usize = 64;
    let sb = fs.superblock();
    let mut bytes = vec![0; usize::try_from(sb.blocksize).unwrap_or(0)];
    let read = fs.device().read_at(sb.fsblock_offset(number), &mut bytes);
    read.map_err(|error| failure(error.into()))?;
    let (magic, header): (&[u8], _) = if sb.is_v5() {
        (b"BMA3", 72)
    } else {
        (b"BMAP", 24)
    };
    if part(&bytes, 0, 4)? != magic {
        return Err(corrupt("a node of its extents has another signature"));
    }
    if sb.is_v5() {
        let expected = le::u32_at(&bytes, CHECKSUM)?;
        if let Some(field) = bytes.get_mut(CHECKSUM..CHECKSUM + 4) {
            field.fill(0);
        }
        if crc32c::crc32c(&bytes) != expected {
            return Err(corrupt("a node of its extents has another checksum"));
        }
        if part(&bytes, 56, 8)? != inode.ino.to_be_bytes() {
            return Err(corrupt("a node of its extents is of another file"));
        }
    }
    parse(&bytes, 4, header)
}

fn in_leaf(sb: &Superblock, records: &[u8], wanted: u64, end: u64) -> Result<Place, FileError> {
    let records: &[[u8; EXTENT_BYTES]] = records.as_chunks().0;
    let first_of = |record: &[u8; EXTENT_BYTES]| {
        let high = u64::from_be_bytes(*record.first_chunk().unwrap_or(&[0; 8]));
        high >> 9 & ((1 << 54) - 1)
    };
    let after = records.partition_point(|record| first_of(record) <= wanted);
    let end = records
        .get(after)
        .map_or(end, |next| end.min(first_of(next)));
    let Some(record) = after.checked_sub(1).and_then(|at| records.get(at)) else {
        return Ok(hole(wanted, end));
    };
    let extent = fs_xfs::extent::Extent::parse(record).map_err(failure)?;
    let inside = wanted - extent.startoff;
    if inside >= extent.blockcount {
        return Ok(hole(wanted, end));
    }
    let offset = sb.fsblock_offset(extent.startblock.saturating_add(inside));
    Ok(Place {
        // What was allocated and never written reads as zeros.
        offset: (!extent.unwritten).then_some(offset),
        blocks: (extent.blockcount - inside).min(end.saturating_sub(wanted).max(1)),
    })
}

fn hole(from: u64, to: u64) -> Place {
    Place {
        offset: None,
        blocks: to.saturating_sub(from).max(1),
    }
}
