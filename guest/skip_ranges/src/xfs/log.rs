//! Whether the log is clean.
//!
//! The log is a ring of sectors of 512 bytes. Each begins with the number of the round in which it
//! was written, so the place where the number falls is the head: the next sector to be written. An
//! unmounted volume has as its last record one that says so, and nothing behind it.

use crate::fields::{be, index, u8_at};
use crate::refusal::{Read, Refusal, RefusalKind, ensure};
use crate::volume::{READ_BYTES_MAX, Volume};
use crate::xfs::superblock::Superblock;

const SECTOR_BYTES: u64 = 512;
const MAGIC: u32 = 0xFEED_BABE;
/// An operation that says that the volume was unmounted.
const UNMOUNTED: u8 = 0x20;
/// How far before the head writes may have been under way: eight buffers of 256 KiB.
const UNDER_WAY_SECTORS: u64 = 4096;

struct Log<'a> {
    volume: &'a Volume<'a>,
    offset: u64,
    sectors: u64,
}

/// Says whether nothing in the log has to be replayed.
pub(crate) fn is_clean(volume: &Volume<'_>, superblock: &Superblock) -> Read<bool> {
    if superblock.log_start == 0 {
        let what = "its log is on another disk";
        return Err(Refusal::new(RefusalKind::UnknownFeature, what));
    }
    let first = superblock.block(superblock.log_start);
    let inside = first
        .checked_add(superblock.log_blocks)
        .is_some_and(|end| end <= superblock.blocks);
    ensure(
        inside && superblock.log_blocks > 0,
        "its log is outside of it",
    )?;
    let log = Log {
        volume,
        offset: first * superblock.block_bytes,
        sectors: superblock.log_blocks * superblock.block_bytes / SECTOR_BYTES,
    };
    let head = log.head()?;
    log.ends_with_unmount(head)
}

impl Log<'_> {
    fn read(&self, sector: u64, count: u64) -> Read<Vec<u8>> {
        self.volume
            .read(self.offset + sector * SECTOR_BYTES, count * SECTOR_BYTES)
    }

    /// Returns the round in which a sector was written; the first words of records are a magic
    /// number, behind which the round stands.
    fn rounds(&self, sector: u64, count: u64) -> Read<Vec<u32>> {
        let bytes = self.read(sector, count)?;
        let rounds = bytes.chunks_exact(512).map(|sector| {
            let first = be::u32_at(sector, 0)?;
            if first == MAGIC {
                be::u32_at(sector, 4)
            } else {
                Ok(first)
            }
        });
        rounds.collect()
    }

    /// Returns the head: the sector behind the last that was written. All sectors are looked at, so
    /// that a round which begins twice is noticed.
    fn head(&self) -> Read<u64> {
        let per_read = READ_BYTES_MAX / SECTOR_BYTES;
        let mut head = None;
        let mut last: Option<u32> = None;
        let mut at = 0;
        while at < self.sectors {
            let count = per_read.min(self.sectors - at);
            for (round, sector) in self.rounds(at, count)?.into_iter().zip(at..) {
                match last {
                    Some(before) if before == round => {}
                    // The round before, which this one has not reached yet.
                    Some(before) if before.checked_sub(1) == Some(round) && head.is_none() => {
                        head = Some(sector);
                    }
                    Some(_) => return Err(Refusal::dirty("its log was being written")),
                    None => {}
                }
                last = Some(round);
            }
            at += count;
        }
        // One round all along: the next begins at the front.
        Ok(head.unwrap_or(self.sectors))
    }

    /// Says whether the record before the head says that the volume was unmounted, and ends there.
    fn ends_with_unmount(&self, head: u64) -> Read<bool> {
        let from = head.saturating_sub(UNDER_WAY_SECTORS.min(READ_BYTES_MAX / SECTOR_BYTES));
        let bytes = self.read(from, head - from)?;
        let sectors: Vec<&[u8]> = bytes.chunks_exact(512).collect();
        let is_record = |sector: &&[u8]| be::u32_at(sector, 0).is_ok_and(|first| first == MAGIC);
        let Some(position) = sectors.iter().rposition(is_record) else {
            return Ok(false);
        };
        let header = sectors.get(position).copied().unwrap_or_default();
        let len = u64::from(be::u32_at(header, 12)?);
        let operations = be::u32_at(header, 40)?;
        let buffer_bytes = u64::from(be::u32_at(header, 320)?);
        // Larger buffers have more than one sector of header.
        let headers = if be::u32_at(header, 8)? & 2 != 0 {
            buffer_bytes.div_ceil(32 << 10).max(1)
        } else {
            1
        };
        let start = from + position as u64;
        let end = start
            .saturating_add(headers)
            .saturating_add(len.div_ceil(SECTOR_BYTES));
        if operations != 1 || end != head {
            return Ok(false);
        }
        let operation = sectors
            .get(position + index(headers)?)
            .copied()
            .unwrap_or_default();
        Ok(u8_at(operation, 9)? & UNMOUNTED != 0)
    }
}
