//! Changing an existing file in place.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use block_io::{
    DiskError, DiskErrorKind, DiskLayer, ImageFile, LayerExtent, WritableFile, check_range,
};
use uuid::Uuid;

use crate::bat::{BatEntry, BlockState};
use crate::block_map::Placement;
use crate::check::{Findings, check_blocks};
use crate::field::{MIB, SECTOR_BYTES, SECTOR_LEN, Sector, index, is_zero, round_up};
use crate::guid_source::GuidSource;
use crate::header::Header;
use crate::info::VhdxInfo;
use crate::journal::{Journal, put_entry, write_zeros};
use crate::new_vhdx::check_sectors;
use crate::parent_locator::ParentLocator;
use crate::replayed_file::ReplayedFile;
use crate::sector_bitmap::{BITMAP_BYTES, fill_bits};
use crate::sector_cache::{SectorCache, SectorSource};
use crate::structure::Structure;

/// An existing VHDX, open for changes.
///
/// Data is written in place; what says where data lies goes through the log. What was written
/// before a [`VhdxDisk::flush`] survives a crash at any later point, and the file always opens.
/// [`VhdxDisk::close`] empties the log; without it the next reader replays it.
///
/// After an error nothing more is written: the disk is poisoned.
pub struct VhdxDisk {
    structure: Structure,
    cache: SectorCache,
    journal: RwLock<Journal>,
    target: Arc<dyn WritableFile>,
    guids: Mutex<GuidSource>,
    failed: AtomicBool,
}

/// What is left to do once a block's data is written.
enum After {
    Nothing,
    /// Show these sectors of the block.
    ShowSectors {
        block: u64,
        first: u64,
        count: u64,
    },
    /// Show all of the block, which lies here.
    ShowBlock {
        block: u64,
        offset: u64,
    },
}

/// Metadata as they will be after the next commit.
struct Pending<'a> {
    disk: &'a VhdxDisk,
    journal: &'a Journal,
}

impl SectorSource for Pending<'_> {
    fn file(&self) -> &ReplayedFile {
        &self.disk.structure.file
    }

    fn sector(&self, offset: u64) -> Result<Arc<Sector>, DiskError> {
        match self.journal.pending(offset) {
            Some(sector) => Ok(sector),
            None => self.disk.cache.get(&self.disk.structure.file, offset),
        }
    }
}

impl VhdxDisk {
    /// Opens a file for changes. A log that was left behind is replayed into the file first.
    ///
    /// Fails where [`crate::check`] finds an error: changing a damaged file would spread the
    /// damage. The file is otherwise not changed before the first write.
    pub fn open_writable(
        file: Arc<dyn WritableFile>,
        guids: GuidSource,
    ) -> Result<Self, DiskError> {
        let mut guids = guids;
        let as_image = || -> Arc<dyn ImageFile> { Arc::clone(&file) as Arc<dyn ImageFile> };
        let mut structure = Structure::read(as_image())?;
        if structure.info.log_replayed {
            apply_log(&file, &structure, &mut guids)?;
            structure = Structure::read(as_image())?;
        }
        let mut findings = Findings::default();
        let Structure {
            file: bytes,
            headers,
            table,
            map,
            ..
        } = &structure;
        let claims = check_blocks(bytes, headers, table, map, &mut findings)?;
        if let Some(problem) = findings.worst() {
            let mut error = DiskError::new(DiskErrorKind::Corrupt, &problem.message)
                .in_file(file.name())
                .hint("this file can be read, but it is not safe to change it");
            if let Some(offset) = problem.offset {
                error = error.at(offset);
            }
            return Err(error);
        }
        let end = round_up(bytes.real_bytes().max(claims.end_bytes()), MIB);
        let journal = Journal::new(Arc::clone(&file), headers.header, headers.current, end);
        Ok(Self {
            cache: SectorCache::new(),
            journal: RwLock::new(journal),
            target: file,
            guids: Mutex::new(guids),
            failed: AtomicBool::new(false),
            structure,
        })
    }

    /// Returns what the file said about itself when it was opened.
    pub fn info(&self) -> &VhdxInfo {
        &self.structure.info
    }

    /// Returns what a differencing file knows of its parent.
    pub fn parent_locator(&self) -> Option<&ParentLocator> {
        self.structure.parent_locator.as_ref()
    }

    /// Returns the GUID that names the disk's content; the first write changes it.
    pub fn data_write_guid(&self) -> Uuid {
        self.read_journal().header().data_write_guid
    }

    /// Writes `data` at `offset` of the disk. In a differencing disk the range must lie on whole
    /// sectors, since what is around it is not in this file.
    pub fn write_layer_at(&self, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        check_range(self.info().size_bytes, offset, data.len() as u64)?;
        check_sectors(&self.structure.map.layout, offset, data.len() as u64)?;
        if data.is_empty() {
            return Ok(());
        }
        self.guarded(|| self.write_checked(offset, data))
    }

    /// Returns once everything written so far would survive a power cut.
    pub fn flush(&self) -> Result<(), DiskError> {
        self.guarded(|| self.write_journal().commit(&self.cache))
    }

    /// Makes everything durable and leaves a file without a log to replay.
    pub fn close(self) -> Result<(), DiskError> {
        self.guarded(|| self.write_journal().end(&self.cache))
    }

    fn read_journal(&self) -> RwLockReadGuard<'_, Journal> {
        self.journal.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_journal(&self) -> RwLockWriteGuard<'_, Journal> {
        self.journal.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `work` unless something failed before, and remembers its failure.
    fn guarded(&self, work: impl FnOnce() -> Result<(), DiskError>) -> Result<(), DiskError> {
        if self.failed.load(Ordering::Acquire) {
            let message = "an earlier write failed, so this disk takes no more changes";
            return Err(
                DiskError::new(DiskErrorKind::Poisoned, message).in_file(self.target.name())
            );
        }
        work().map_err(|error| {
            self.failed.store(true, Ordering::Release);
            error.in_file(self.target.name())
        })
    }

    fn write_checked(&self, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        if !self.read_journal().has_begun() {
            let mut guids = self.guids.lock().unwrap_or_else(PoisonError::into_inner);
            let mut journal = self.write_journal();
            journal.begin(&mut guids)?;
            self.structure.file.grow(journal.file_bytes);
        }
        let block_bytes = self.structure.map.layout.block_bytes;
        let mut rest = data;
        let mut offset = offset;
        while !rest.is_empty() {
            let inside = offset % block_bytes;
            let len = (block_bytes - inside).min(rest.len() as u64);
            let (part, tail) = rest.split_at(index(len));
            self.write_block(offset / block_bytes, inside, part)?;
            offset += len;
            rest = tail;
        }
        Ok(())
    }

    fn write_block(&self, block: u64, inside: u64, part: &[u8]) -> Result<(), DiskError> {
        let Some((place, after)) = self.prepare(block, inside, part)? else {
            return Ok(());
        };
        // No lock is held here: threads that write to known blocks do not wait for each other.
        self.target
            .write_all_at(place + inside, part)
            .map_err(|error| {
                DiskError::io(self.target.name(), "cannot write", error).at(place + inside)
            })?;
        if matches!(after, After::Nothing) {
            return Ok(());
        }
        let mut journal = self.write_journal();
        if journal.is_full() {
            journal.commit(&self.cache)?;
        }
        match after {
            After::Nothing => Ok(()),
            After::ShowSectors {
                block,
                first,
                count,
            } => self.set_bits(&mut journal, block, first, count, true),
            After::ShowBlock { block, offset } => {
                let entry = BatEntry::new(BlockState::FullyPresent, offset);
                self.set_block(&mut journal, block, entry)
            }
        }
    }

    /// Finds or makes the place of a block; `None` where the write changes nothing.
    fn prepare(
        &self,
        block: u64,
        inside: u64,
        part: &[u8],
    ) -> Result<Option<(u64, After)>, DiskError> {
        if let Some(known) = self.known_place(&self.read_journal(), block, inside, part)? {
            return Ok(Some(known));
        }
        let zero = is_zero(part);
        let mut journal = self.write_journal();
        if journal.is_full() {
            journal.commit(&self.cache)?;
        }
        // Another thread may have come first.
        if let Some(known) = self.known_place(&journal, block, inside, part)? {
            return Ok(Some(known));
        }
        let layout = &self.structure.map.layout;
        let placement = self.place(&journal, block)?;
        let from_parent = layout.has_parent && placement == Placement::Parent;
        let whole = part.len() as u64 == layout.block_len(block);
        if zero && !from_parent {
            return Ok(None);
        }
        if zero && whole {
            let entry = BatEntry::new(BlockState::Zero, 0);
            self.set_block(&mut journal, block, entry)?;
            return Ok(None);
        }
        let offset = self.allocate(&mut journal, block)?;
        let after = if !from_parent {
            // What is around the data was zero and is zero: the block may be seen at once.
            let entry = BatEntry::new(BlockState::FullyPresent, offset);
            self.set_block(&mut journal, block, entry)?;
            After::Nothing
        } else if whole {
            After::ShowBlock { block, offset }
        } else {
            self.make_partial(&mut journal, block, offset)?;
            self.show_sectors(block, inside, part)
        };
        Ok(Some((offset, after)))
    }

    /// Returns the place of a block that needs none made.
    fn known_place(
        &self,
        journal: &Journal,
        block: u64,
        inside: u64,
        part: &[u8],
    ) -> Result<Option<(u64, After)>, DiskError> {
        Ok(match self.place(journal, block)? {
            Placement::File(offset) => Some((offset, After::Nothing)),
            Placement::Partial { offset, .. } => {
                Some((offset, self.show_sectors(block, inside, part)))
            }
            Placement::Parent | Placement::Zero => None,
        })
    }

    fn show_sectors(&self, block: u64, inside: u64, part: &[u8]) -> After {
        let sector_bytes = self.structure.map.layout.sector_bytes;
        After::ShowSectors {
            block,
            first: inside / sector_bytes,
            count: part.len() as u64 / sector_bytes,
        }
    }

    fn place(&self, journal: &Journal, block: u64) -> Result<Placement, DiskError> {
        let source = Pending {
            disk: self,
            journal,
        };
        self.structure.map.place(&source, block)
    }

    /// Returns the offset of a zeroed block that nobody sees yet.
    fn allocate(&self, journal: &mut Journal, block: u64) -> Result<u64, DiskError> {
        let map = &self.structure.map;
        let source = Pending {
            disk: self,
            journal,
        };
        let entry = map.entry(&source, map.layout.payload_index(block))?;
        let kept = matches!(
            entry.state(),
            Some(BlockState::Undefined | BlockState::Unmapped)
        ) && entry.offset() != 0;
        if kept {
            // The block kept its place; what it held must not come back.
            write_zeros(journal, entry.offset(), map.layout.block_bytes)?;
            return Ok(entry.offset());
        }
        let offset = journal.extend(map.layout.block_bytes)?;
        self.structure.file.grow(journal.file_bytes);
        Ok(offset)
    }

    /// Makes a block partially present with no sector yet.
    fn make_partial(
        &self,
        journal: &mut Journal,
        block: u64,
        offset: u64,
    ) -> Result<(), DiskError> {
        let map = &self.structure.map;
        let (chunk, _) = map.layout.first_bit(block);
        let number = map.layout.bitmap_index(chunk);
        let source = Pending {
            disk: self,
            journal,
        };
        let missing = map.entry(&source, number)?.state() == Some(BlockState::NotPresent);
        if missing {
            let bitmap = journal.extend(BITMAP_BYTES)?;
            self.structure.file.grow(journal.file_bytes);
            let entry = BatEntry::new(BlockState::FullyPresent, bitmap);
            self.set_entry(journal, number, entry)?;
        }
        let entry = BatEntry::new(BlockState::PartiallyPresent, offset);
        self.set_block(journal, block, entry)?;
        // Bits of a block that was not partially present may be anything.
        let sectors = map.layout.block_bytes / map.layout.sector_bytes;
        self.set_bits(journal, block, 0, sectors, false)
    }

    fn set_block(
        &self,
        journal: &mut Journal,
        block: u64,
        entry: BatEntry,
    ) -> Result<(), DiskError> {
        self.set_entry(
            journal,
            self.structure.map.layout.payload_index(block),
            entry,
        )
    }

    fn set_entry(
        &self,
        journal: &mut Journal,
        number: u64,
        entry: BatEntry,
    ) -> Result<(), DiskError> {
        let at = self.structure.map.entry_offset(number);
        let offset = at - at % SECTOR_BYTES;
        let source = Pending {
            disk: self,
            journal,
        };
        let now = source.sector(offset)?;
        journal.change(offset, now, |sector| put_entry(sector, at, entry.0));
        Ok(())
    }

    /// Sets or clears the bits of sectors of a partially present block.
    fn set_bits(
        &self,
        journal: &mut Journal,
        block: u64,
        first: u64,
        count: u64,
        value: bool,
    ) -> Result<(), DiskError> {
        let Placement::Partial {
            bitmap, first_bit, ..
        } = self.place(journal, block)?
        else {
            // Meanwhile another thread made the whole block present.
            return Ok(());
        };
        const BITS: u64 = SECTOR_BYTES * 8;
        let end = first_bit + first + count;
        let mut bit = first_bit + first;
        while bit < end {
            let len = (BITS - bit % BITS).min(end - bit);
            let offset = bitmap + bit / BITS * SECTOR_BYTES;
            let source = Pending {
                disk: self,
                journal,
            };
            let now = source.sector(offset)?;
            let mut sector: Sector = *now;
            if fill_bits(&mut sector, bit % BITS, len, value) > 0 {
                journal.change(offset, now, |target| *target = sector);
            }
            bit += len;
        }
        Ok(())
    }
}

/// Replays the log into the file and marks it empty.
fn apply_log(
    file: &Arc<dyn WritableFile>,
    structure: &Structure,
    guids: &mut GuidSource,
) -> Result<(), DiskError> {
    let Some(patch) = structure.file.patch() else {
        return Ok(());
    };
    let header = structure.headers.header;
    let current = structure.headers.current;
    let size = structure.file.size_bytes();
    let mut journal = Journal::new(Arc::clone(file), header, current, size);
    journal.extend(0)?;
    for (start, end) in patch.zeros() {
        // Behind the old end everything is zero already.
        let end = end.min(structure.file.real_bytes());
        write_zeros(&journal, start, end.saturating_sub(start))?;
    }
    for offset in patch.sector_offsets() {
        let mut sector = [0; SECTOR_LEN];
        structure.file.read(offset, &mut sector)?;
        journal.put(offset, &sector)?;
    }
    journal.flush()?;
    journal.set_header(Header {
        log_guid: Uuid::nil(),
        file_write_guid: guids.next()?,
        ..header
    })
}

impl SectorSource for VhdxDisk {
    fn file(&self) -> &ReplayedFile {
        &self.structure.file
    }

    fn sector(&self, offset: u64) -> Result<Arc<Sector>, DiskError> {
        Pending {
            disk: self,
            journal: &self.read_journal(),
        }
        .sector(offset)
    }
}

impl DiskLayer for VhdxDisk {
    fn size_bytes(&self) -> u64 {
        self.structure.info.size_bytes
    }

    fn sector_bytes(&self) -> u32 {
        self.structure.info.sector_bytes
    }

    fn physical_sector_bytes(&self) -> u32 {
        self.structure.info.physical_sector_bytes
    }

    fn layer_extent_at(&self, offset: u64, max_bytes: u64) -> Result<LayerExtent, DiskError> {
        let max_bytes = max_bytes.max(1);
        check_range(self.size_bytes(), offset, max_bytes)?;
        self.structure.map.extent_at(self, offset, max_bytes)
    }

    fn read_layer_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        check_range(self.size_bytes(), offset, buf.len() as u64)?;
        self.structure.map.read(self, offset, buf)
    }
}
