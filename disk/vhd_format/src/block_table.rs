//! The block allocation table, read a page at a time.

use std::sync::{Arc, OnceLock};

use block_io::{DiskError, ImageFile};

use crate::dynamic_header::DynamicHeader;

/// An entry of a block that was never written.
pub(crate) const NOT_ALLOCATED: u32 = u32::MAX;
const PAGE_ENTRIES: u64 = 4096;

/// Where the blocks of a disk lie. A page of the table is read when it is first asked for.
pub(crate) struct BlockTable {
    file: Arc<dyn ImageFile>,
    offset: u64,
    entries: u64,
    pages: Vec<OnceLock<Box<[u32]>>>,
}

impl BlockTable {
    /// Opens the table of a disk of `size_bytes`. The part of the table that the disk needs must
    /// lie inside the file, so nothing that is allocated is larger than the file.
    pub(crate) fn open(
        file: Arc<dyn ImageFile>,
        header: &DynamicHeader,
        size_bytes: u64,
        file_bytes: u64,
    ) -> Result<Self, DiskError> {
        let entries = size_bytes.div_ceil(u64::from(header.block_bytes));
        if u64::from(header.table_entries) < entries {
            return Err(DiskError::corrupt(
                file.name(),
                header.table_offset,
                format!(
                    "the block table has {} entries, expected at least {entries}",
                    header.table_entries
                ),
            ));
        }
        let end = header.table_offset.checked_add(entries * 4);
        if end.is_none_or(|end| end > file_bytes) {
            return Err(DiskError::corrupt(
                file.name(),
                header.table_offset,
                format!(
                    "the block table of {entries} entries leaves the file of {file_bytes} bytes"
                ),
            )
            .hint("the file is cut short: get a whole copy of it"));
        }
        let pages = usize::try_from(entries.div_ceil(PAGE_ENTRIES)).unwrap_or(0);
        Ok(Self {
            file,
            offset: header.table_offset,
            entries,
            pages: (0..pages).map(|_| OnceLock::new()).collect(),
        })
    }

    /// Returns the number of blocks of the disk.
    pub(crate) fn entries(&self) -> u64 {
        self.entries
    }

    /// Returns the sector at which `block` starts, with its bitmap; [`NOT_ALLOCATED`] where it
    /// was never written.
    pub(crate) fn sector_of(&self, block: u64) -> Result<u32, DiskError> {
        let index = usize::try_from(block / PAGE_ENTRIES).unwrap_or(usize::MAX);
        let Some(page) = self.pages.get(index) else {
            return Ok(NOT_ALLOCATED);
        };
        let entries = match page.get() {
            Some(entries) => entries,
            None => {
                let read = self.read_page(block / PAGE_ENTRIES)?;
                page.get_or_init(|| read)
            }
        };
        let slot = usize::try_from(block % PAGE_ENTRIES).unwrap_or(usize::MAX);
        Ok(entries.get(slot).copied().unwrap_or(NOT_ALLOCATED))
    }

    fn read_page(&self, page: u64) -> Result<Box<[u32]>, DiskError> {
        let first = page * PAGE_ENTRIES;
        let count = PAGE_ENTRIES.min(self.entries.saturating_sub(first));
        let offset = self.offset + first * 4;
        // At most one page of 16 KiB.
        let mut bytes = vec![0; usize::try_from(count * 4).unwrap_or(0)];
        self.file
            .read_exact_at(offset, &mut bytes)
            .map_err(|error| {
                DiskError::io(self.file.name(), "cannot read the block table", error).at(offset)
            })?;
        Ok(bytes
            .chunks_exact(4)
            .map(|entry| u32::from_be_bytes([entry[0], entry[1], entry[2], entry[3]]))
            .collect())
    }
}
