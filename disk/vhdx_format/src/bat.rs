//! The block allocation table: where each payload block and each sector bitmap lies
//! (MS-VHDX 2.5).
//!
//! After every `ratio` payload entries stands one entry of a sector bitmap. That bitmap covers the
//! *chunk* of blocks before it: 2^23 sectors. The entries stand there in base disks, too.

use crate::field::MIB;

/// Sectors that one sector bitmap block covers.
const SECTORS_PER_CHUNK: u64 = 1 << 23;
/// Length of one entry, in bytes.
pub(crate) const ENTRY_BYTES: u64 = 8;

/// The numbers of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatLayout {
    pub(crate) size_bytes: u64,
    pub(crate) block_bytes: u64,
    pub(crate) sector_bytes: u64,
    pub(crate) has_parent: bool,
}

impl BatLayout {
    /// Returns the number of payload blocks.
    pub(crate) fn block_count(&self) -> u64 {
        self.size_bytes.div_ceil(self.block_bytes)
    }

    /// Returns the number of blocks that share a sector bitmap: at least 16.
    pub(crate) fn chunk_ratio(&self) -> u64 {
        SECTORS_PER_CHUNK * self.sector_bytes / self.block_bytes
    }

    /// Returns the number of chunks, the last of which may be incomplete.
    pub(crate) fn chunk_count(&self) -> u64 {
        self.block_count().div_ceil(self.chunk_ratio())
    }

    /// Returns the index of a block's entry.
    pub(crate) fn payload_index(&self, block: u64) -> u64 {
        block + block / self.chunk_ratio()
    }

    /// Returns the index of a chunk's sector bitmap entry.
    pub(crate) fn bitmap_index(&self, chunk: u64) -> u64 {
        (chunk + 1) * self.chunk_ratio() + chunk
    }

    /// Returns what entry `number` is for.
    pub(crate) fn owner(&self, number: u64) -> EntryOwner {
        let group = self.chunk_ratio() + 1;
        if number % group == group - 1 {
            EntryOwner::Bitmap(number / group)
        } else {
            EntryOwner::Block(number - number / group)
        }
    }

    /// Returns the number of entries that a new file makes room for: those of whole chunks.
    pub(crate) fn roomy_entry_count(&self) -> u64 {
        self.chunk_count() * (self.chunk_ratio() + 1)
    }

    /// Returns the number of entries that are ever addressed.
    pub(crate) fn entry_count(&self) -> u64 {
        if self.has_parent {
            self.roomy_entry_count()
        } else {
            // Block count is at least 1: a disk is not empty.
            self.payload_index(self.block_count() - 1) + 1
        }
    }

    /// Returns the part of a block's bytes that lies on the disk: the last block may be cut.
    pub(crate) fn block_len(&self, block: u64) -> u64 {
        self.block_bytes
            .min(self.size_bytes - (block * self.block_bytes).min(self.size_bytes))
    }

    /// Returns the chunk of a block, and the number in that chunk's bitmap of its first sector.
    pub(crate) fn first_bit(&self, block: u64) -> (u64, u64) {
        let ratio = self.chunk_ratio();
        let bit = block % ratio * (self.block_bytes / self.sector_bytes);
        (block / ratio, bit)
    }
}

/// What an entry is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryOwner {
    /// The payload block of this number.
    Block(u64),
    /// The sector bitmap of the chunk of this number.
    Bitmap(u64),
}

/// What an entry says about its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockState {
    NotPresent,
    Undefined,
    Zero,
    Unmapped,
    FullyPresent,
    PartiallyPresent,
}

/// One entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatEntry(pub(crate) u64);

impl BatEntry {
    pub(crate) fn new(state: BlockState, offset: u64) -> Self {
        let state = match state {
            BlockState::NotPresent => 0,
            BlockState::Undefined => 1,
            BlockState::Zero => 2,
            BlockState::Unmapped => 3,
            BlockState::FullyPresent => 6,
            BlockState::PartiallyPresent => 7,
        };
        Self(state | offset & !(MIB - 1))
    }

    /// Returns the state, `None` for 4 and 5, which mean nothing.
    pub(crate) fn state(self) -> Option<BlockState> {
        match self.0 & 7 {
            0 => Some(BlockState::NotPresent),
            1 => Some(BlockState::Undefined),
            2 => Some(BlockState::Zero),
            3 => Some(BlockState::Unmapped),
            6 => Some(BlockState::FullyPresent),
            7 => Some(BlockState::PartiallyPresent),
            _ => None,
        }
    }

    /// Returns the number of the state, for messages.
    pub(crate) fn raw_state(self) -> u64 {
        self.0 & 7
    }

    /// Returns the offset in the file in bytes.
    pub(crate) fn offset(self) -> u64 {
        self.0 & !(MIB - 1)
    }

    /// Returns the bits that must be zero.
    pub(crate) fn reserved(self) -> u64 {
        self.0 & (MIB - 1) & !7
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_has_one_owner_and_bitmaps_are_interleaved() {
        let layout = BatLayout {
            size_bytes: 20 << 30,
            block_bytes: 256 << 20,
            sector_bytes: 512,
            has_parent: true,
        };
        assert_eq!((layout.chunk_ratio(), layout.chunk_count()), (16, 5));
        assert_eq!(layout.entry_count(), 85);
        for block in 0..layout.block_count() {
            let number = layout.payload_index(block);
            assert_eq!(layout.owner(number), EntryOwner::Block(block));
        }
        for chunk in 0..layout.chunk_count() {
            let number = layout.bitmap_index(chunk);
            assert_eq!(layout.owner(number), EntryOwner::Bitmap(chunk));
        }
        let base = BatLayout {
            has_parent: false,
            ..layout
        };
        // 80 blocks, and a bitmap entry after each 16 but the last.
        assert_eq!(base.entry_count(), 84);
    }
}
