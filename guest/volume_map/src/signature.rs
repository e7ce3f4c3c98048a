//! Signatures that lie further on in a volume than its first 4 KiB, or that are no file system's.

use block_io::{BlockDevice, DiskError};

use crate::Content;
use crate::content::{self, BTRFS_MAGIC, BTRFS_MAGIC_OFFSET};
use crate::reader::{Reader, bytes_at};

/// A signature: where it lies, what it is, and whose.
const FAR: [(u64, &[u8], Content); 5] = [
    (BTRFS_MAGIC_OFFSET, BTRFS_MAGIC, Content::Btrfs),
    // The primary volume descriptor's type and identifier (ECMA-119 §8.1).
    (0x8000, b"\x01CD001", Content::Iso9660),
    // A label's list of names and values: XDR, big endian, version 0, unique names.
    (0x4000, b"\x01\x01\0\0\0\0\0\0\0\0\0\x01", Content::Zfs),
    (0x10_0000, b"\x0d\xd0\x01\xc0", Content::Vmfs),
    (0x1018, &BCACHE_MAGIC, Content::Bcache),
];
const BCACHE_MAGIC: [u8; 16] = [
    0xC6, 0x85, 0x73, 0xF6, 0x4E, 0x1A, 0x45, 0xCA, 0x82, 0x65, 0xF5, 0x7F, 0x48, 0xBA, 0x6D, 0x81,
];

/// Says what a volume is, by the places where all that have names here write theirs: at most six
/// reads, five of them of a few bytes.
pub(crate) fn content(volume: &dyn BlockDevice) -> Result<Content, DiskError> {
    let reader = Reader::new(volume);
    let first = reader.read(0, 4096)?;
    let content = content::of(&first);
    if content != Content::Unknown {
        return Ok(content);
    }
    if &bytes_at::<4>(&first, 32) == b"NXSB" {
        return Ok(Content::Apfs);
    }
    if first.starts_with(b"hsqs") {
        return Ok(Content::SquashFs);
    }
    if first.starts_with(b"SPACEDB ") {
        return Ok(Content::StorageSpaces);
    }
    for (offset, magic, content) in FAR {
        if reader.read(offset, magic.len())? == magic {
            return Ok(content);
        }
    }
    Ok(Content::Unknown)
}
