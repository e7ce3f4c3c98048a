//! The log's bytes as a ring.

use block_io::DiskError;

use crate::field::{SECTOR_LEN, Sector};
use crate::replayed_file::ReplayedFile;

/// The place of the log: sectors that follow each other round the end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ring {
    /// Offset in the file, in bytes.
    pub(crate) offset: u64,
    /// Length in bytes, a multiple of 1 MiB and not zero.
    pub(crate) length: u64,
}

impl Ring {
    /// Returns the offset in the file of `position` of the ring, which may exceed its length.
    pub(crate) fn file_offset(&self, position: u64) -> u64 {
        self.offset + self.wrap(position)
    }

    /// Returns `position` inside the ring.
    pub(crate) fn wrap(&self, position: u64) -> u64 {
        position % self.length.max(1)
    }

    /// Reads the sector at `position`.
    pub(crate) fn sector(&self, file: &ReplayedFile, position: u64) -> Result<Sector, DiskError> {
        let mut sector = [0; SECTOR_LEN];
        file.read_unpatched(self.file_offset(position), &mut sector)?;
        Ok(sector)
    }

    /// Says whether a range of the file touches the log.
    pub(crate) fn overlaps(&self, offset: u64, len_bytes: u64) -> bool {
        offset < self.offset.saturating_add(self.length)
            && offset.saturating_add(len_bytes) > self.offset
    }
}
