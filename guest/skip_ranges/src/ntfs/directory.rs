//! Names in a folder.

use ntfs_format::{
    AttributeKind, FileNameValue, INDEX_BLOCK_HEADER, INDEX_ROOT_HEADER, index_entries, is_called,
    record_number, record_sequence, repair,
};

use crate::fields::index;
use crate::ntfs::table::{Content, Table};
use crate::refusal::{Read, Refusal, ensure};

/// Length of an index that is read: some 100,000 names.
const INDEX_BYTES_MAX: u64 = 64 << 20;
/// Names that are kept.
const ENTRIES_MAX: usize = 1 << 18;
const INDEX_NAME: &str = "$I30";

/// A name in a folder, and the file that it stands for.
pub(crate) struct Entry {
    reference: u64,
    /// In UTF-16.
    name: Vec<u8>,
}

impl Entry {
    pub(crate) fn number(&self) -> u64 {
        record_number(self.reference)
    }

    pub(crate) fn sequence(&self) -> u16 {
        record_sequence(self.reference)
    }

    pub(crate) fn is_called(&self, name: &str) -> bool {
        is_called(&self.name, name)
    }

    /// Says whether the name has `text`, in small letters, in it.
    pub(crate) fn contains(&self, text: &str) -> bool {
        let units = self.name.as_chunks::<2>().0.iter();
        let units = units.map(|unit| u16::from_le_bytes(*unit));
        let name: String = char::decode_utf16(units)
            .map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect();
        name.to_ascii_lowercase().contains(text)
    }
}

/// Returns all names in a folder. Fails where any of its index cannot be read.
pub(crate) fn entries(table: &Table<'_>, number: u64) -> Read<Vec<Entry>> {
    let record = table.record(number)?;
    let mut found = Vec::new();
    let Some(Content::Resident(root)) =
        table.content(&record, AttributeKind::IndexRoot, INDEX_NAME)?
    else {
        return Err(Refusal::damaged("a folder has no index"));
    };
    read_node(&root, INDEX_ROOT_HEADER, &mut found)?;
    let blocks = table.content(&record, AttributeKind::IndexAllocation, INDEX_NAME)?;
    let Some(Content::Runs {
        runs, len_bytes, ..
    }) = blocks
    else {
        return Ok(found);
    };
    ensure(len_bytes <= INDEX_BYTES_MAX, "a folder is larger than any")?;
    let used = used_blocks(table, number)?;
    let block_bytes = table.boot.index_bytes;
    for block in 0..len_bytes / block_bytes {
        let byte = used.get(index(block / 8)?).copied().unwrap_or(0);
        if byte >> (block % 8) & 1 == 0 {
            continue;
        }
        let mut bytes = table.read_runs(&runs, block * block_bytes, block_bytes)?;
        repair(&mut bytes, *b"INDX")?;
        read_node(&bytes, INDEX_BLOCK_HEADER, &mut found)?;
    }
    Ok(found)
}

/// Returns a bit for each block of a folder's index: whether it is in use.
fn used_blocks(table: &Table<'_>, number: u64) -> Read<Vec<u8>> {
    let record = table.record(number)?;
    match table.content(&record, AttributeKind::Bitmap, INDEX_NAME)? {
        Some(Content::Resident(bytes)) => Ok(bytes),
        Some(Content::Runs {
            runs, len_bytes, ..
        }) => table.read_runs(&runs, 0, len_bytes),
        None => Err(Refusal::damaged(
            "a folder does not say what of its index is in use",
        )),
    }
}

/// Reads the entries of a node whose header begins at `header`.
fn read_node(bytes: &[u8], header: usize, found: &mut Vec<Entry>) -> Read<()> {
    for entry in index_entries(bytes, header)? {
        let Some(key) = entry.key else { break };
        ensure(
            found.len() < ENTRIES_MAX,
            "a folder has more names than any",
        )?;
        found.push(Entry {
            reference: entry.reference,
            name: FileNameValue::parse(key)?.name.to_vec(),
        });
    }
    Ok(())
}
