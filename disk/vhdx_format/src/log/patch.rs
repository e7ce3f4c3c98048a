//! What a replayed log changes, kept beside the file instead of in it.

use std::collections::BTreeMap;

use block_io::DiskError;

use crate::field::{SECTOR_BYTES, SECTOR_LEN, index};

/// A sector of the log that replaces one of the file.
///
/// Only its place is kept: a log may have a gigabyte, and the file does not change under us.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoggedSector {
    /// Where the data sector lies in the file, in bytes.
    pub(crate) source: u64,
    /// The first bytes, which the data sector's own signature displaced.
    pub(crate) leading: [u8; 8],
    /// The last bytes, likewise.
    pub(crate) trailing: [u8; 4],
}

/// Sectors and zero ranges over a file. Within one place a sector beats a zero range: whichever
/// came later in the log has removed the other.
#[derive(Debug, Default)]
pub(crate) struct Patch {
    sectors: BTreeMap<u64, LoggedSector>,
    /// Start to end, neither overlapping nor touching.
    zeros: BTreeMap<u64, u64>,
    last_file_offset: u64,
}

impl Patch {
    pub(crate) fn last_file_offset(&self) -> u64 {
        self.last_file_offset
    }

    pub(crate) fn set_last_file_offset(&mut self, bytes: u64) {
        self.last_file_offset = bytes;
    }

    pub(crate) fn zero_range_count(&self) -> usize {
        self.zeros.len()
    }

    pub(crate) fn put_sector(&mut self, file_offset: u64, sector: LoggedSector) {
        self.sectors.insert(file_offset, sector);
    }

    pub(crate) fn put_zeros(&mut self, start: u64, end: u64) {
        let hidden: Vec<u64> = self.sectors.range(start..end).map(|(at, _)| *at).collect();
        for at in hidden {
            self.sectors.remove(&at);
        }
        let (mut start, mut end) = (start, end);
        // Ranges neither overlap nor touch, so each one met here lies before the one met last.
        while let Some((&other, &other_end)) = self.zeros.range(..=end).next_back() {
            if other_end < start {
                break;
            }
            self.zeros.remove(&other);
            start = start.min(other);
            end = end.max(other_end);
        }
        self.zeros.insert(start, end);
    }

    /// Returns the zero ranges as start and end.
    pub(crate) fn zeros(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.zeros.iter().map(|(start, end)| (*start, *end))
    }

    /// Returns the offsets in the file of the sectors.
    pub(crate) fn sector_offsets(&self) -> impl Iterator<Item = u64> + '_ {
        self.sectors.keys().copied()
    }

    /// Returns the sectors that touch a range, with their offsets in the file.
    fn sectors_in(&self, offset: u64, end: u64) -> impl Iterator<Item = (u64, &LoggedSector)> + '_ {
        let first = offset - offset % SECTOR_BYTES;
        self.sectors
            .range(first..end.max(first))
            .map(|(at, sector)| (*at, sector))
    }

    fn zeros_in(&self, offset: u64, end: u64) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.zeros
            .range(..end)
            .rev()
            .map(|(from, to)| (*from, *to))
            .take_while(move |(_, to)| *to > offset)
    }

    /// Says whether the log changes anything in a range.
    pub(crate) fn touches(&self, offset: u64, len_bytes: u64) -> bool {
        let end = offset.saturating_add(len_bytes);
        self.sectors_in(offset, end).next().is_some() || self.zeros_in(offset, end).next().is_some()
    }

    /// Changes `buf`, which the file gave for `offset`, into what it is after replay.
    pub(crate) fn apply(
        &self,
        offset: u64,
        buf: &mut [u8],
        read: impl Fn(u64, &mut [u8]) -> Result<(), DiskError>,
    ) -> Result<(), DiskError> {
        let end = offset.saturating_add(buf.len() as u64);
        for (from, to) in self.zeros_in(offset, end) {
            let from = index(from.max(offset) - offset);
            let to = index(to.min(end) - offset);
            if let Some(part) = buf.get_mut(from..to) {
                part.fill(0);
            }
        }
        for (at, sector) in self.sectors_in(offset, end) {
            let mut content = [0; SECTOR_LEN];
            read(sector.source, &mut content)?;
            content[..8].copy_from_slice(&sector.leading);
            content[SECTOR_LEN - 4..].copy_from_slice(&sector.trailing);
            let from = at.max(offset);
            let to = (at + SECTOR_BYTES).min(end);
            let source = content.get(index(from - at)..index(to - at));
            let target = buf.get_mut(index(from - offset)..index(to - offset));
            if let (Some(source), Some(target)) = (source, target) {
                target.copy_from_slice(source);
            }
        }
        Ok(())
    }
}
