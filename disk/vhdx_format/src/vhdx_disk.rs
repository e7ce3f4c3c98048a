//! Changing an existing file in place.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use block_io::{
    DiskError, DiskErrorKind, DiskLayer, ImageFile, LayerExtent, WritableFile, check_range, is_zero,
};
use uuid::Uuid;

use crate::bat::{BatEntry, BlockState};
use crate::block_map::Placement;
use crate::check::{Findings, check_blocks};
use crate::field::{MIB, Sector, index, round_up};
use crate::guid_source::GuidSource;
use crate::info::VhdxInfo;
use crate::journal::Journal;
use crate::log_to_file::apply_log;
use crate::new_vhdx::check_sectors;
use crate::parent_locator::ParentLocator;
use crate::pending_metadata::PendingMetadata;
use crate::replayed_file::ReplayedFile;
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
        let mut metadata = self.metadata(&mut *journal);
        metadata.make_room()?;
        match after {
            After::Nothing => Ok(()),
            After::ShowSectors {
                block,
                first,
                count,
            } => metadata.set_bits(block, first, count, true),
            After::ShowBlock { block, offset } => {
                metadata.set_block(block, BatEntry::new(BlockState::FullyPresent, offset))
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
        let placement = self.metadata(&*self.read_journal()).place(block)?;
        if let Some(known) = self.known_place(placement, block, inside, part) {
            return Ok(Some(known));
        }
        let zero = is_zero(part);
        let mut journal = self.write_journal();
        let mut metadata = self.metadata(&mut *journal);
        metadata.make_room()?;
        // Another thread may have come first.
        let placement = metadata.place(block)?;
        if let Some(known) = self.known_place(placement, block, inside, part) {
            return Ok(Some(known));
        }
        let layout = &self.structure.map.layout;
        let from_parent = layout.has_parent && placement == Placement::Parent;
        let whole = part.len() as u64 == layout.block_len(block);
        if zero && !from_parent {
            return Ok(None);
        }
        if zero && whole {
            metadata.set_block(block, BatEntry::new(BlockState::Zero, 0))?;
            return Ok(None);
        }
        let offset = metadata.allocate(block)?;
        let after = if !from_parent {
            // What is around the data was zero and is zero: the block may be seen at once.
            metadata.set_block(block, BatEntry::new(BlockState::FullyPresent, offset))?;
            After::Nothing
        } else if whole {
            After::ShowBlock { block, offset }
        } else {
            metadata.make_partial(block, offset)?;
            self.show_sectors(block, inside, part)
        };
        Ok(Some((offset, after)))
    }

    /// Returns the place of a block that needs none made.
    fn known_place(
        &self,
        placement: Placement,
        block: u64,
        inside: u64,
        part: &[u8],
    ) -> Option<(u64, After)> {
        match placement {
            Placement::File(offset) => Some((offset, After::Nothing)),
            Placement::Partial { offset, .. } => {
                Some((offset, self.show_sectors(block, inside, part)))
            }
            Placement::Parent | Placement::Zero => None,
        }
    }

    fn show_sectors(&self, block: u64, inside: u64, part: &[u8]) -> After {
        let sector_bytes = self.structure.map.layout.sector_bytes;
        After::ShowSectors {
            block,
            first: inside / sector_bytes,
            count: part.len() as u64 / sector_bytes,
        }
    }

    /// Returns the metadata as the next commit will leave them.
    fn metadata<J>(&self, journal: J) -> PendingMetadata<'_, J> {
        PendingMetadata {
            map: &self.structure.map,
            file: &self.structure.file,
            cache: &self.cache,
            journal,
        }
    }
}

impl SectorSource for VhdxDisk {
    fn file(&self) -> &ReplayedFile {
        &self.structure.file
    }

    fn sector(&self, offset: u64) -> Result<Arc<Sector>, DiskError> {
        self.metadata(&*self.read_journal()).sector(offset)
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
