//! A VHD as a layer of a chain.

use std::sync::Arc;

use block_io::{DiskError, DiskLayer, ImageFile, LayerExtent, LayerExtentKind, check_range};

use crate::block_table::{BlockTable, NOT_ALLOCATED};
use crate::dynamic_header::{DynamicHeader, HEADER_BYTES};
use crate::footer::{self, FoundFooter, VhdKind};
use crate::parent_locator::ParentLocator;
use crate::sector_bitmap::{BitmapCache, bitmap_bytes, run_len};
use crate::vhd_info::VhdInfo;

const SECTOR_BYTES: u32 = 512;
/// The most blocks that one call looks at, so that no call takes long on a huge empty disk.
const BLOCKS_PER_EXTENT: usize = 1 << 16;

/// A VHD that is read: fixed, dynamic or differencing.
pub struct VhdLayer {
    file: Arc<dyn ImageFile>,
    info: VhdInfo,
    /// `None` for a fixed disk.
    blocks: Option<Blocks>,
    locators: Vec<ParentLocator>,
}

pub(crate) struct Blocks {
    pub(crate) header: DynamicHeader,
    pub(crate) table: BlockTable,
    bitmaps: BitmapCache,
    /// Blocks end before this offset of the file.
    pub(crate) data_end: u64,
}

impl VhdLayer {
    /// Opens a VHD. Nothing but footer, header and parent locators is read.
    ///
    /// Where the footer at the end is bad and the copy at the start is good, the copy counts and
    /// [`VhdInfo::notes`] says so.
    pub fn open(file: Arc<dyn ImageFile>) -> Result<Self, DiskError> {
        let found = footer::find(&*file)?;
        let size_bytes = found.footer.size_bytes();
        let name = file.name();
        if size_bytes == 0 || !size_bytes.is_multiple_of(u64::from(SECTOR_BYTES)) {
            return Err(DiskError::corrupt(
                name,
                found.data_end + 48,
                format!("a disk of {size_bytes} bytes, expected a multiple of 512"),
            ));
        }
        let blocks = if found.footer.kind == VhdKind::Fixed {
            if size_bytes > found.data_end {
                return Err(DiskError::corrupt(
                    name,
                    found.data_end,
                    format!("the disk ends here, expected {size_bytes} bytes before the footer"),
                )
                .hint("the file is cut short: get a whole copy of it"));
            }
            None
        } else {
            let header = DynamicHeader::read(&*file, found.footer.header_offset)?;
            let table = BlockTable::open(Arc::clone(&file), &header, size_bytes, found.data_end)?;
            Some(Blocks {
                header,
                table,
                bitmaps: BitmapCache::new(),
                data_end: found.data_end,
            })
        };
        let mut info = info_of(&found, blocks.as_ref());
        let locators = read_locators(&*file, &info, blocks.as_ref());
        note_lost_locators(&mut info, blocks.as_ref(), &locators);
        Ok(Self {
            file,
            info,
            blocks,
            locators,
        })
    }

    /// Returns what the file says about itself.
    pub fn info(&self) -> &VhdInfo {
        &self.info
    }

    /// Returns where the file says that its parent is, in the file's order. Entries that cannot be
    /// read are left out.
    pub fn parent_locators(&self) -> &[ParentLocator] {
        &self.locators
    }

    /// Returns whether `parent` is the parent of this disk: whether its unique id is the one that
    /// this file names. The time stamp does not decide: Windows writes zero.
    pub fn accepts(&self, parent: &VhdInfo) -> bool {
        self.info.parent_unique_id == Some(parent.unique_id)
    }

    pub(crate) fn blocks(&self) -> Option<&Blocks> {
        self.blocks.as_ref()
    }

    pub(crate) fn file(&self) -> &dyn ImageFile {
        &*self.file
    }
}

fn info_of(found: &FoundFooter, blocks: Option<&Blocks>) -> VhdInfo {
    let footer = &found.footer;
    let mut notes = Vec::new();
    if let Some(error) = &found.end_is_bad {
        notes.push(format!(
            "the footer at the end is bad, so the copy at the start was used: {error}"
        ));
    }
    if footer.saved_state {
        notes.push("the virtual machine was in saved state".to_owned());
    }
    let parent = blocks.filter(|_| footer.kind == VhdKind::Differencing);
    VhdInfo {
        kind: footer.kind,
        size_bytes: footer.size_bytes(),
        current_size_bytes: footer.current_size_bytes,
        geometry: footer.geometry,
        block_bytes: blocks.map(|blocks| blocks.header.block_bytes),
        unique_id: footer.unique_id,
        parent_unique_id: parent.map(|blocks| blocks.header.parent_unique_id),
        parent_name: parent.map(|blocks| blocks.header.parent_name.clone()),
        timestamp: footer.timestamp,
        creator: String::from_utf8_lossy(&footer.creator_app).into_owned(),
        creator_version: footer.creator_version,
        saved_state: footer.saved_state,
        notes,
    }
}

fn read_locators(
    file: &dyn ImageFile,
    info: &VhdInfo,
    blocks: Option<&Blocks>,
) -> Vec<ParentLocator> {
    match blocks {
        Some(blocks) if info.kind == VhdKind::Differencing => blocks
            .header
            .locators
            .iter()
            .filter_map(|entry| entry.read(file).ok())
            .collect(),
        _ => Vec::new(),
    }
}

fn note_lost_locators(info: &mut VhdInfo, blocks: Option<&Blocks>, read: &[ParentLocator]) {
    let named = match blocks {
        Some(blocks) if info.kind == VhdKind::Differencing => blocks.header.locators.len(),
        _ => 0,
    };
    if named > read.len() {
        info.notes.push(format!(
            "{} of {named} parent locators cannot be read",
            named - read.len()
        ));
    }
}

impl Blocks {
    /// Returns the offset of the bitmap of `block` in the file, and checks that the block's used
    /// part lies inside it. `None`: the block was never written.
    fn bitmap_offset(
        &self,
        file: &dyn ImageFile,
        block: u64,
        size_bytes: u64,
    ) -> Result<Option<u64>, DiskError> {
        let sector = self.table.sector_of(block)?;
        if sector == NOT_ALLOCATED {
            return Ok(None);
        }
        let offset = u64::from(sector) * u64::from(SECTOR_BYTES);
        let block_bytes = u64::from(self.header.block_bytes);
        let used = block_bytes.min(size_bytes.saturating_sub(block * block_bytes));
        let end = offset + u64::from(bitmap_bytes(self.header.block_bytes)) + used;
        if offset < footer::FOOTER_BYTES + HEADER_BYTES || end > self.data_end {
            return Err(DiskError::corrupt(
                file.name(),
                offset,
                format!(
                    "block {block} ends at {end}, expected it between the headers and {}",
                    self.data_end
                ),
            )
            .hint("the file is cut short or damaged: get a whole copy of it"));
        }
        Ok(Some(offset))
    }
}

impl DiskLayer for VhdLayer {
    fn size_bytes(&self) -> u64 {
        self.info.size_bytes
    }

    fn sector_bytes(&self) -> u32 {
        SECTOR_BYTES
    }

    fn physical_sector_bytes(&self) -> u32 {
        SECTOR_BYTES
    }

    fn layer_extent_at(&self, offset: u64, max_bytes: u64) -> Result<LayerExtent, DiskError> {
        check_range(self.info.size_bytes, offset, max_bytes)?;
        let Some(blocks) = &self.blocks else {
            return self
                .file
                .file_extent_at(offset, max_bytes)
                .map_err(|error| {
                    DiskError::io(self.file.name(), "cannot ask for holes", error).at(offset)
                });
        };
        let block_bytes = u64::from(blocks.header.block_bytes);
        let mut block = offset / block_bytes;
        let first = self.block_extent(blocks, block, offset % block_bytes)?;
        let mut len_bytes = first.len_bytes;
        let end_of_block = |block: u64| (block + 1) * block_bytes - offset;
        for _ in 0..BLOCKS_PER_EXTENT {
            if len_bytes >= max_bytes || len_bytes < end_of_block(block) {
                break;
            }
            block += 1;
            let next = self.block_extent(blocks, block, 0)?;
            if next.kind != first.kind {
                break;
            }
            len_bytes += next.len_bytes;
        }
        Ok(LayerExtent {
            kind: first.kind,
            len_bytes: len_bytes.min(max_bytes),
        })
    }

    fn read_layer_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        check_range(self.info.size_bytes, offset, buf.len() as u64)?;
        let Some(blocks) = &self.blocks else {
            return self.read_file(offset, buf);
        };
        let block_bytes = u64::from(blocks.header.block_bytes);
        let bitmap = u64::from(bitmap_bytes(blocks.header.block_bytes));
        let (mut offset, mut rest) = (offset, buf);
        while !rest.is_empty() {
            let (block, within) = (offset / block_bytes, offset % block_bytes);
            let len = usize::try_from(block_bytes - within)
                .unwrap_or(usize::MAX)
                .min(rest.len());
            let (part, tail) = rest.split_at_mut(len);
            match blocks.bitmap_offset(&*self.file, block, self.info.size_bytes)? {
                Some(at) => self.read_file(at + bitmap + within, part)?,
                None => part.fill(0),
            }
            offset += len as u64;
            rest = tail;
        }
        Ok(())
    }
}

impl VhdLayer {
    fn read_file(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        self.file.read_exact_at(offset, buf).map_err(|error| {
            DiskError::io(self.file.name(), "cannot read the disk's data", error).at(offset)
        })
    }

    /// Says what lies at `within` bytes of `block`, at most up to the block's end.
    fn block_extent(
        &self,
        blocks: &Blocks,
        block: u64,
        within: u64,
    ) -> Result<LayerExtent, DiskError> {
        let block_bytes = u64::from(blocks.header.block_bytes);
        let whole = |kind| LayerExtent {
            kind,
            len_bytes: block_bytes - within,
        };
        let Some(at) = blocks.bitmap_offset(&*self.file, block, self.info.size_bytes)? else {
            return Ok(whole(LayerExtentKind::Parent));
        };
        // The bitmap of a dynamic disk is not consulted: every writer sets all of it, and a bit
        // that was lost must not hide data.
        if self.info.kind != VhdKind::Differencing {
            return Ok(whole(LayerExtentKind::Data));
        }
        let len_bytes = bitmap_bytes(blocks.header.block_bytes);
        let bitmap = blocks.bitmaps.get(&*self.file, block, at, len_bytes)?;
        let sector_bytes = u64::from(SECTOR_BYTES);
        let index = |bytes: u64| usize::try_from(bytes / sector_bytes).unwrap_or(usize::MAX);
        let (first, end) = (index(within), index(block_bytes));
        let kind = if crate::sector_bitmap::bit(&bitmap, first) {
            LayerExtentKind::Data
        } else {
            LayerExtentKind::Parent
        };
        let run = run_len(&bitmap, first, end) as u64 * sector_bytes;
        Ok(LayerExtent {
            kind,
            len_bytes: run - within % sector_bytes,
        })
    }
}
