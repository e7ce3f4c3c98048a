//! Whether a volume keeps shadow copies.
//!
//! What was overwritten since a shadow copy was made lies in files of `System Volume Information`,
//! or of another volume's; everything else is read from the volume as it is, free space included.
//! So where shadow copies are kept, or may be, free space is not free.

use crate::fields::{le, part};
use crate::ntfs::directory::{Entry, entries};
use crate::ntfs::table::Table;
use crate::refusal::{Read, ensure};

/// Where the volume says what it has of shadow copies.
const HEADER_OFFSET: u64 = 0x1E00;
/// 3808876b-c176-4e48-b7ae-04046e6cc752: the store of shadow copies, as bytes and in names.
const STORE_ID: [u8; 16] = [
    0x6B, 0x87, 0x08, 0x38, 0x76, 0xC1, 0x48, 0x4E, 0xB7, 0xAE, 0x04, 0x04, 0x6E, 0x6C, 0xC7, 0x52,
];
const STORE_NAME: &str = "{3808876b-c176-4e48-b7ae-04046e6cc752}";

const BLOCK_BYTES: u64 = 16 << 10;
const CATALOG_BLOCKS_MAX: usize = 256;

/// Says why free space must be kept; `None` where no shadow copies are.
pub(crate) fn kept(table: &Table<'_>, root: &[Entry]) -> Read<Option<String>> {
    let system = root
        .iter()
        .filter(|entry| entry.is_called("System Volume Information"));
    for folder in system {
        let names = entries(table, folder.number())?;
        if names.iter().any(|name| name.contains(STORE_NAME)) {
            return Ok(Some(
                "it keeps shadow copies, whose content its free space is part of".to_owned(),
            ));
        }
    }
    let header = table.volume.read(HEADER_OFFSET, 512)?;
    if !header.starts_with(&STORE_ID) {
        return Ok(None);
    }
    let stored_here = part(&header, 64, 16)? == part(&header, 80, 16)?;
    let nowhere = part(&header, 80, 16)? == [0; 16];
    if !stored_here && !nowhere {
        return Ok(Some(
            "its shadow copies are kept on another volume, and its free space is part of them"
                .to_owned(),
        ));
    }
    let listed = catalog_lists_any(table, le::u64_at(&header, 48)?)?;
    Ok(listed.then(|| "its catalog lists shadow copies".to_owned()))
}

/// Reads the catalog's chain of blocks.
fn catalog_lists_any(table: &Table<'_>, first: u64) -> Read<bool> {
    let mut at = first;
    for _ in 0..CATALOG_BLOCKS_MAX {
        if at == 0 {
            return Ok(false);
        }
        let block = table.volume.read(at, BLOCK_BYTES)?;
        ensure(
            block.starts_with(&STORE_ID),
            "the catalog of shadow copies cannot be read",
        )?;
        for entry in block.chunks_exact(128).skip(1) {
            // 0: not used, 1: not used any more.
            if le::u64_at(entry, 0)? > 1 {
                return Ok(true);
            }
        }
        at = le::u64_at(&block, 40)?;
    }
    // A chain that does not end.
    Ok(true)
}
