//! Making a new image.
//!
//! A new file needs no log: nothing in it counts until its headers stand, and they come last.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use block_io::{DiskError, DiskErrorKind, NewImage, WritableFile, check_range, is_zero};
use uuid::Uuid;

use crate::bat::{BatLayout, ENTRY_BYTES, EntryOwner};
use crate::create_options::CreateOptions;
use crate::field::{MIB, SECTOR_LEN, index, put, round_up};
use crate::header::{HEADER_OFFSETS, Header, encode_identifier};
use crate::metadata::Metadata;
use crate::new_blocks::NewBlocks;
use crate::region_table::{REGION_TABLE_OFFSETS, encode_region_table};

const LOG_OFFSET: u64 = MIB;
const LOG_BYTES: u32 = 1 << 20;
const METADATA_OFFSET: u64 = 2 * MIB;
const METADATA_BYTES: u32 = 1 << 20;
const BAT_OFFSET: u64 = 3 * MIB;
/// Part of the BAT that is built at once, in bytes.
const BAT_PIECE: u64 = 64 << 10;

/// A new VHDX that is being filled.
///
/// Writes take a lock only to find or give a block its place; the data is written outside.
pub struct NewVhdx {
    file: Arc<dyn WritableFile>,
    layout: BatLayout,
    metadata: Metadata,
    header: Header,
    creator: String,
    bat_bytes: u32,
    blocks: Mutex<NewBlocks>,
    failed: AtomicBool,
}

/// Starts a new image in an empty file.
pub fn create(file: Arc<dyn WritableFile>, options: &CreateOptions) -> Result<NewVhdx, DiskError> {
    let mut guids = options.guids;
    let mut next_guid = || guids.next();
    let (file_write_guid, data_write_guid, fresh_id) = (next_guid()?, next_guid()?, next_guid()?);
    let metadata = options
        .metadata(options.disk_id.unwrap_or(fresh_id))
        .map_err(|error| error.in_file(file.name()))?;
    let length = file
        .size_bytes()
        .map_err(|error| DiskError::io(file.name(), "cannot tell the file's length", error))?;
    if length != 0 {
        let message = format!("the file holds {length} bytes, a new image needs an empty one");
        return Err(DiskError::new(DiskErrorKind::Exists, message).in_file(file.name()));
    }
    let layout = BatLayout {
        size_bytes: metadata.size_bytes,
        block_bytes: metadata.block_bytes.into(),
        sector_bytes: metadata.sector_bytes.into(),
        has_parent: metadata.has_parent,
    };
    let bat_bytes = round_up(layout.roomy_entry_count() * ENTRY_BYTES, MIB);
    let mut blocks = NewBlocks::new(layout, BAT_OFFSET + bat_bytes);
    if metadata.fixed {
        blocks.place_all();
        file.set_size_bytes(blocks.end_bytes())
            .map_err(|error| DiskError::io(file.name(), "cannot make room", error))?;
    }
    Ok(NewVhdx {
        layout,
        metadata,
        header: Header {
            sequence_number: 0,
            file_write_guid,
            data_write_guid,
            log_guid: Uuid::nil(),
            log_version: 0,
            log_length: LOG_BYTES,
            log_offset: LOG_OFFSET,
        },
        creator: options.creator.clone(),
        // 64 TiB of 1 MiB blocks need 513 MiB.
        bat_bytes: u32::try_from(bat_bytes).unwrap_or(u32::MAX),
        blocks: Mutex::new(blocks),
        failed: AtomicBool::new(false),
        file,
    })
}

impl NewVhdx {
    /// Returns the GUID by which a child will know this disk.
    pub fn data_write_guid(&self) -> Uuid {
        self.header.data_write_guid
    }

    /// Returns the page 83 id.
    pub fn disk_id(&self) -> Uuid {
        self.metadata.disk_id
    }

    fn blocks(&self) -> MutexGuard<'_, NewBlocks> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns where `part` of a block goes; `None` where nothing needs to be written.
    fn place(&self, block: u64, inside: u64, part: &[u8]) -> Option<u64> {
        if !self.layout.has_parent {
            let place = self.blocks().find(block);
            return match place {
                None if is_zero(part) => None,
                None => Some(self.blocks().touch(block)),
                place => place,
            };
        }
        let len = part.len() as u64;
        let whole = len == self.layout.block_len(block);
        if whole && is_zero(part) && self.blocks().make_zero(block) {
            return None;
        }
        let sector_bytes = self.layout.sector_bytes;
        let mut blocks = self.blocks();
        Some(blocks.touch_sectors(block, inside / sector_bytes, len / sector_bytes))
    }

    fn put(&self, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        self.file.write_all_at(offset, data).map_err(|error| {
            self.failed.store(true, Ordering::Release);
            DiskError::io(self.file.name(), "cannot write", error).at(offset)
        })
    }

    fn flush(&self) -> Result<(), DiskError> {
        self.file
            .flush()
            .map_err(|error| DiskError::io(self.file.name(), "cannot flush", error))
    }

    fn check_failed(&self) -> Result<(), DiskError> {
        if self.failed.load(Ordering::Acquire) {
            let message = "an earlier write failed, so this image cannot be completed";
            return Err(DiskError::new(DiskErrorKind::Poisoned, message).in_file(self.file.name()));
        }
        Ok(())
    }

    /// Writes bitmaps and BAT, and gives the file its length.
    fn write_tables(&self) -> Result<(), DiskError> {
        let mut blocks = self.blocks();
        let bitmaps = blocks.place_bitmaps();
        let end = blocks.end_bytes();
        self.file
            .set_size_bytes(end)
            .map_err(|error| DiskError::io(self.file.name(), "cannot set the length", error))?;
        for (chunk, offset) in &bitmaps {
            self.put(*offset, &blocks.bitmap(*chunk))?;
        }
        let entries = self.layout.entry_count();
        let per_piece = BAT_PIECE / ENTRY_BYTES;
        let mut piece = vec![0; index(BAT_PIECE)];
        for first in (0..entries).step_by(index(per_piece)) {
            piece.fill(0);
            for number in first..(first + per_piece).min(entries) {
                let entry = match self.layout.owner(number) {
                    EntryOwner::Block(block) => blocks.entry(block).0,
                    // A bitmap is fully present or not at all.
                    EntryOwner::Bitmap(chunk) => bitmaps.get(&chunk).map_or(0, |at| at | 6),
                };
                let at = index((number - first) * ENTRY_BYTES);
                put(&mut piece, at, &entry.to_le_bytes());
            }
            if !is_zero(&piece) {
                self.put(BAT_OFFSET + first * ENTRY_BYTES, &piece)?;
            }
        }
        Ok(())
    }
}

impl NewImage for NewVhdx {
    fn size_bytes(&self) -> u64 {
        self.layout.size_bytes
    }

    /// Writes `data`. In a differencing disk the range must lie on whole sectors.
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        check_range(self.layout.size_bytes, offset, data.len() as u64)?;
        self.check_failed()?;
        check_sectors(&self.layout, offset, data.len() as u64)?;
        let mut rest = data;
        let mut offset = offset;
        while !rest.is_empty() {
            let block = offset / self.layout.block_bytes;
            let inside = offset % self.layout.block_bytes;
            let len = (self.layout.block_bytes - inside).min(rest.len() as u64);
            let (part, tail) = rest.split_at(index(len));
            if let Some(place) = self.place(block, inside, part) {
                self.put(place + inside, part)?;
            }
            offset += len;
            rest = tail;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), DiskError> {
        self.check_failed()?;
        self.write_tables()?;
        self.put(METADATA_OFFSET, &self.metadata.encode())?;
        let regions = encode_region_table(
            (BAT_OFFSET, self.bat_bytes),
            (METADATA_OFFSET, METADATA_BYTES),
        );
        for offset in REGION_TABLE_OFFSETS {
            self.put(offset, &regions)?;
        }
        self.flush()?;
        // From here on the file may open, and everything that it then shows is durable.
        for (sequence_number, offset) in (1..).zip(HEADER_OFFSETS) {
            let header = Header {
                sequence_number,
                ..self.header
            };
            self.put(offset, &header.encode())?;
        }
        let identifier: [u8; SECTOR_LEN] = encode_identifier(&self.creator);
        self.put(0, &identifier)?;
        self.flush()
    }
}

/// A differencing disk keeps one bit for each sector, so it cannot hold half of one.
pub(crate) fn check_sectors(layout: &BatLayout, offset: u64, len: u64) -> Result<(), DiskError> {
    let sector_bytes = layout.sector_bytes;
    if layout.has_parent
        && !(offset.is_multiple_of(sector_bytes) && len.is_multiple_of(sector_bytes))
    {
        let message = format!(
            "{len} bytes at {offset} are not whole {sector_bytes}-byte sectors, as a differencing \
             disk needs"
        );
        return Err(DiskError::new(DiskErrorKind::OutOfRange, message));
    }
    Ok(())
}
