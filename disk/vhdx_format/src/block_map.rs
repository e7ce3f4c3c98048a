//! From an offset on the disk to its place in the file.

use block_io::{DiskError, LayerExtent, LayerExtentKind};

use crate::bat::{BatEntry, BatLayout, BlockState, ENTRY_BYTES};
use crate::field::{MIB, SECTOR_BYTES, index, u64_at};
use crate::sector_bitmap;
use crate::sector_cache::SectorSource;

/// Blocks that one call merges into an extent, so that it ends soon on a large disk.
const MAX_MERGED_BLOCKS: u64 = 4096;

/// Where one block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placement {
    /// Not in this file.
    Parent,
    /// Zero, whatever the parent holds.
    Zero,
    /// All of it at this offset in the file.
    File(u64),
    /// At `offset`, where the bitmap has a bit.
    Partial {
        offset: u64,
        bitmap: u64,
        first_bit: u64,
    },
}

/// The BAT of one file. Reads through a [`SectorSource`], one sector at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockMap {
    pub(crate) layout: BatLayout,
    /// Offset of the BAT in the file, in bytes.
    pub(crate) bat_offset: u64,
}

impl BlockMap {
    /// Returns the offset in the file of entry `number`.
    pub(crate) fn entry_offset(&self, number: u64) -> u64 {
        self.bat_offset + number * ENTRY_BYTES
    }

    /// Returns entry `number` as it is.
    pub(crate) fn entry(
        &self,
        source: &impl SectorSource,
        number: u64,
    ) -> Result<BatEntry, DiskError> {
        let at = self.entry_offset(number);
        let sector = source.sector(at - at % SECTOR_BYTES)?;
        Ok(BatEntry(u64_at(&*sector, index(at % SECTOR_BYTES))))
    }

    /// Says where `block` is.
    pub(crate) fn place(
        &self,
        source: &impl SectorSource,
        block: u64,
    ) -> Result<Placement, DiskError> {
        let number = self.layout.payload_index(block);
        let entry = self.entry(source, number)?;
        let at = self.entry_offset(number);
        let name = source.file().name();
        match entry.state() {
            Some(BlockState::NotPresent) => Ok(Placement::Parent),
            Some(BlockState::Undefined | BlockState::Zero | BlockState::Unmapped) => {
                Ok(Placement::Zero)
            }
            Some(BlockState::FullyPresent) => {
                check_offset(source, entry, at)?;
                Ok(Placement::File(entry.offset()))
            }
            Some(BlockState::PartiallyPresent) if self.layout.has_parent => {
                check_offset(source, entry, at)?;
                let (chunk, first_bit) = self.layout.first_bit(block);
                Ok(Placement::Partial {
                    offset: entry.offset(),
                    bitmap: self.bitmap(source, chunk)?,
                    first_bit,
                })
            }
            Some(BlockState::PartiallyPresent) => Err(DiskError::corrupt(
                name,
                at,
                format!("block {block} is partially present, but the disk has no parent"),
            )),
            None => Err(DiskError::corrupt(
                name,
                at,
                format!("block {block} has the unknown state {}", entry.raw_state()),
            )),
        }
    }

    /// Returns where the sector bitmap of `chunk` lies.
    fn bitmap(&self, source: &impl SectorSource, chunk: u64) -> Result<u64, DiskError> {
        let number = self.layout.bitmap_index(chunk);
        let entry = self.entry(source, number)?;
        let at = self.entry_offset(number);
        // Some writers mark a bitmap as partially present; it means the same.
        let present = matches!(
            entry.state(),
            Some(BlockState::FullyPresent | BlockState::PartiallyPresent)
        );
        if !present {
            return Err(DiskError::corrupt(
                source.file().name(),
                at,
                format!("chunk {chunk} has partially present blocks but no sector bitmap"),
            ));
        }
        check_offset(source, entry, at)?;
        Ok(entry.offset())
    }

    /// Says what lies at `offset`, merging what is alike in neighboring blocks.
    pub(crate) fn extent_at(
        &self,
        source: &impl SectorSource,
        offset: u64,
        max_bytes: u64,
    ) -> Result<LayerExtent, DiskError> {
        let mut merged = self.extent_in_block(source, offset, max_bytes)?;
        for _ in 1..MAX_MERGED_BLOCKS {
            let next = offset + merged.len_bytes;
            // What ends inside a block ends because something else follows.
            if merged.len_bytes >= max_bytes || !next.is_multiple_of(self.layout.block_bytes) {
                break;
            }
            // A defect behind is reported when somebody asks for it.
            let Ok(extent) = self.extent_in_block(source, next, max_bytes - merged.len_bytes)
            else {
                break;
            };
            if extent.kind != merged.kind {
                break;
            }
            merged.len_bytes += extent.len_bytes;
        }
        Ok(merged)
    }

    fn extent_in_block(
        &self,
        source: &impl SectorSource,
        offset: u64,
        max_bytes: u64,
    ) -> Result<LayerExtent, DiskError> {
        let inside = offset % self.layout.block_bytes;
        let max_bytes = max_bytes.min(self.layout.block_bytes - inside);
        let (kind, len_bytes) = match self.place(source, offset / self.layout.block_bytes)? {
            Placement::Parent => (LayerExtentKind::Parent, max_bytes),
            Placement::Zero => (LayerExtentKind::Zero, max_bytes),
            Placement::File(at) => return source.file().extent_at(at + inside, max_bytes),
            Placement::Partial {
                bitmap, first_bit, ..
            } => {
                let sector_bytes = self.layout.sector_bytes;
                let within = inside % sector_bytes;
                let sectors = (within + max_bytes).div_ceil(sector_bytes);
                let first = first_bit + inside / sector_bytes;
                let (present, count) = sector_bitmap::run(source, bitmap, first, sectors)?;
                let kind = if present {
                    LayerExtentKind::Data
                } else {
                    LayerExtentKind::Parent
                };
                (kind, (count * sector_bytes - within).min(max_bytes))
            }
        };
        Ok(LayerExtent { kind, len_bytes })
    }

    /// Fills `buf` from `offset`, with one read for each block; what the file lacks becomes zero.
    pub(crate) fn read(
        &self,
        source: &impl SectorSource,
        offset: u64,
        buf: &mut [u8],
    ) -> Result<(), DiskError> {
        let mut rest = buf;
        let mut offset = offset;
        while !rest.is_empty() {
            let inside = offset % self.layout.block_bytes;
            let len = (self.layout.block_bytes - inside).min(rest.len() as u64);
            let (part, tail) = rest.split_at_mut(index(len));
            match self.place(source, offset / self.layout.block_bytes)? {
                Placement::Parent | Placement::Zero => part.fill(0),
                Placement::File(at) | Placement::Partial { offset: at, .. } => {
                    source.file().read(at + inside, part)?;
                }
            }
            offset += len;
            rest = tail;
        }
        Ok(())
    }
}

/// A block lies behind the headers and starts inside the file. Its end may be cut: old versions of
/// QEMU left files so, and what is missing is zero.
fn check_offset(source: &impl SectorSource, entry: BatEntry, at: u64) -> Result<(), DiskError> {
    let file = source.file();
    let offset = entry.offset();
    if offset < MIB || offset >= file.size_bytes() {
        return Err(DiskError::corrupt(
            file.name(),
            at,
            format!(
                "a block lies at {offset}, outside the file of {} bytes",
                file.size_bytes()
            ),
        ));
    }
    Ok(())
}
