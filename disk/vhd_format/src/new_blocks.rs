//! The blocks of a new dynamic or differencing VHD.

use std::sync::{Mutex, PoisonError};

use block_io::{DiskError, DiskErrorKind, WritableFile};
use uuid::Uuid;

use crate::block_table::NOT_ALLOCATED;
use crate::create_options::{CreateOptions, ParentLink};
use crate::dynamic_header::{DynamicHeader, HEADER_BYTES};
use crate::footer::FOOTER_BYTES;
use crate::parent_locator::LocatorEntry;
use crate::sector_bitmap::{bitmap_bytes, set_bits};

/// Data of a block starts at a multiple of this, as Windows 8 and later lay it out.
const ALIGNMENT: u64 = 4096;

/// Hands out room for blocks. Only the handing out is locked, never the writing.
pub(crate) struct NewBlocks {
    block_bytes: u64,
    bitmap_bytes: u64,
    header: DynamicHeader,
    locator_texts: Vec<Vec<u8>>,
    differencing: bool,
    state: Mutex<State>,
}

struct State {
    /// Sector of each block's bitmap, or [`NOT_ALLOCATED`].
    table: Vec<u32>,
    /// Of a differencing disk: the bitmap of each allocated block.
    bitmaps: Vec<Option<Box<[u8]>>>,
    /// Where the last block ends, in bytes.
    end: u64,
}

impl NewBlocks {
    pub(crate) fn new(options: &CreateOptions, parent: Option<ParentLink>) -> Self {
        let block_bytes = u64::from(options.block_bytes);
        let count = options.size_bytes.div_ceil(block_bytes);
        let differencing = parent.is_some();
        // 2040 GiB in blocks of at least 64 KiB: see `create`.
        let entries = u32::try_from(count).unwrap_or(u32::MAX);
        let table_offset = FOOTER_BYTES + HEADER_BYTES;
        let mut end = table_offset + (count * 4).next_multiple_of(512);
        let mut header = DynamicHeader {
            table_offset,
            table_entries: entries,
            block_bytes: options.block_bytes,
            parent_unique_id: Uuid::nil(),
            parent_timestamp: 0,
            parent_name: String::new(),
            locators: Vec::new(),
        };
        let mut locator_texts = Vec::new();
        if let Some(parent) = parent {
            header.parent_unique_id = parent.unique_id;
            let name = parent
                .absolute_path
                .as_ref()
                .or(parent.relative_path.as_ref());
            header.parent_name = name.cloned().unwrap_or_default();
            for (code, path) in [
                (*b"W2ku", parent.absolute_path),
                (*b"W2ru", parent.relative_path),
            ] {
                let Some(path) = path else { continue };
                let text: Vec<u8> = path.encode_utf16().flat_map(u16::to_le_bytes).collect();
                let len_bytes = u32::try_from(text.len()).unwrap_or(0);
                header.locators.push(LocatorEntry {
                    code,
                    // In bytes, as Windows does: readers of either opinion accept it.
                    space: len_bytes.next_multiple_of(512),
                    len_bytes,
                    offset: end,
                });
                end += u64::from(len_bytes).next_multiple_of(512);
                locator_texts.push(text);
            }
        }
        let len = usize::try_from(count).unwrap_or(0);
        Self {
            block_bytes,
            bitmap_bytes: u64::from(bitmap_bytes(options.block_bytes)),
            header,
            locator_texts,
            differencing,
            state: Mutex::new(State {
                table: vec![NOT_ALLOCATED; len],
                bitmaps: vec![None; if differencing { len } else { 0 }],
                end,
            }),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing under this lock can panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the offset of the data of `block`, and whether it has only now been given one.
    fn allocate(&self, block: usize) -> Option<(u64, bool)> {
        let mut state = self.state();
        let sector = *state.table.get(block)?;
        if sector != NOT_ALLOCATED {
            return Some((u64::from(sector) * 512 + self.bitmap_bytes, false));
        }
        // The data is aligned, and the bitmap ends where it starts.
        let data = (state.end + self.bitmap_bytes).next_multiple_of(ALIGNMENT);
        let sector = u32::try_from((data - self.bitmap_bytes) / 512).ok()?;
        state.end = data + self.block_bytes;
        *state.table.get_mut(block)? = sector;
        Some((data, true))
    }

    /// Fails where a differencing disk, which keeps one bit for each sector, would have to hold
    /// half of one.
    pub(crate) fn check_sectors(&self, offset: u64, len: usize) -> Result<(), DiskError> {
        if self.differencing && !(offset.is_multiple_of(512) && len.is_multiple_of(512)) {
            return Err(DiskError::new(
                DiskErrorKind::OutOfRange,
                format!(
                    "{len} bytes at {offset} are not whole 512-byte sectors, as a differencing VHD needs"
                ),
            ));
        }
        Ok(())
    }

    pub(crate) fn write_at(
        &self,
        file: &dyn WritableFile,
        offset: u64,
        data: &[u8],
    ) -> Result<(), DiskError> {
        let (mut offset, mut rest) = (offset, data);
        while !rest.is_empty() {
            let within = offset % self.block_bytes;
            let len = usize::try_from(self.block_bytes - within)
                .unwrap_or(usize::MAX)
                .min(rest.len());
            let (part, tail) = rest.split_at(len);
            let block = usize::try_from(offset / self.block_bytes).unwrap_or(usize::MAX);
            self.write_block(file, block, within, part)?;
            offset += len as u64;
            rest = tail;
        }
        Ok(())
    }

    fn write_block(
        &self,
        file: &dyn WritableFile,
        block: usize,
        within: u64,
        part: &[u8],
    ) -> Result<(), DiskError> {
        let Some((data_offset, new)) = self.allocate(block) else {
            return Err(DiskError::new(
                DiskErrorKind::OutOfRange,
                format!("there is no room for block {block} below 2 TiB of file"),
            )
            .in_file(file.name()));
        };
        let write = |at, bytes: &[u8]| {
            file.write_all_at(at, bytes)
                .map_err(|error| DiskError::io(file.name(), "cannot write", error).at(at))
        };
        if new && !self.differencing {
            // Every bit is set, as every other writer does: readers differ on what 0 means here.
            let bitmap = vec![0xFF; usize::try_from(self.bitmap_bytes).unwrap_or(0)];
            write(data_offset - self.bitmap_bytes, &bitmap)?;
        }
        write(data_offset + within, part)?;
        if self.differencing {
            let first = usize::try_from(within / 512).unwrap_or(usize::MAX);
            let bitmap_bytes = usize::try_from(self.bitmap_bytes).unwrap_or(0);
            if let Some(bitmap) = self.state().bitmaps.get_mut(block) {
                let bits = bitmap.get_or_insert_with(|| vec![0; bitmap_bytes].into());
                set_bits(bits, first..first + part.len() / 512);
            }
        }
        Ok(())
    }

    /// Returns where the footer goes: the last sector of a 4 KiB unit, as Windows has it.
    pub(crate) fn footer_offset(&self) -> u64 {
        (self.state().end + FOOTER_BYTES).next_multiple_of(ALIGNMENT) - FOOTER_BYTES
    }

    /// Writes header, table, parent locators and, of a differencing disk, the bitmaps.
    pub(crate) fn write_structures(&self, file: &dyn WritableFile) -> Result<(), DiskError> {
        let write = |at, bytes: &[u8]| {
            file.write_all_at(at, bytes)
                .map_err(|error| DiskError::io(file.name(), "cannot write", error).at(at))
        };
        write(FOOTER_BYTES, &self.header.to_bytes())?;
        for (entry, text) in self.header.locators.iter().zip(&self.locator_texts) {
            write(entry.offset, text)?;
        }
        let state = self.state();
        let mut table: Vec<u8> = state
            .table
            .iter()
            .flat_map(|sector| sector.to_be_bytes())
            .collect();
        table.resize(table.len().next_multiple_of(512), 0xFF);
        write(self.header.table_offset, &table)?;
        for (bitmap, sector) in state.bitmaps.iter().zip(&state.table) {
            if let Some(bitmap) = bitmap {
                write(u64::from(*sector) * 512, bitmap)?;
            }
        }
        Ok(())
    }
}
