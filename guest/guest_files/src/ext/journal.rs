//! The journal (JBD2): what was promised and not yet put into its place, found there instead.
//!
//! Nothing is copied. The log is read once, descriptors and commits alone, into a table that says for
//! each block where its last version lies; [`VolumeReader`] reads it from there. Data blocks of the log
//! are verified when they are read.
//!
//! ```text
//!   superblock │ … descriptor, block, block, …, commit │ revoke, commit │ descriptor, … (torn)
//!                └───────── transaction 41 ───────────┘ └─────── 42 ──┘   no commit: not promised
//! ```
//!
//! [`VolumeReader`]: crate::posix::volume_reader::VolumeReader

use std::collections::BTreeMap;

use super::block_map::run_at;
use super::inode::Inode;
use super::{Volume, crc32c};
use crate::posix::fields::{be, le, part, u8_at};
use crate::posix::volume_reader::{BlockChecksum, MovedBlock};
use crate::posix::{corrupt, unreadable};
use crate::{FileError, State};

const MAGIC: u32 = 0xC03B_3998;
const DESCRIPTOR: u32 = 1;
const COMMIT: u32 = 2;
const REVOKE: u32 = 5;
const WIDE: u32 = 0x2;
const CHECKSUMS_2: u32 = 0x8;
const CHECKSUMS_3: u32 = 0x10;
const FAST_COMMITS: u32 = 0x20;
const KNOWN: u32 = 0x3F;
/// A tag's flags: its block began like a block of the journal; it has the same UUID; it is the last.
const ESCAPED: u32 = 1;
const SAME_UUID: u32 = 2;
const LAST: u32 = 8;

/// What a journal says.
pub(super) struct Replay {
    pub(super) moved: BTreeMap<u64, MovedBlock>,
    pub(super) state: State,
}

struct Journal<'a> {
    volume: &'a Volume,
    inode: Inode,
    features: u32,
    first: u32,
    end: u32,
    fast_blocks: u32,
    seed: u32,
    block_bytes: u32,
}

/// Blocks of one transaction, until its commit is found.
#[derive(Default)]
struct Open {
    blocks: Vec<(u64, MovedBlock)>,
    revoked: Vec<u64>,
}

/// Reads the log from where it says that it begins.
pub(super) fn replay(volume: &Volume) -> Result<Replay, FileError> {
    let inode = Inode::read(volume, volume.superblock.journal_inode)?;
    let mut journal = Journal {
        volume,
        inode,
        features: 0,
        first: 1,
        end: 1,
        fast_blocks: 0,
        seed: 0,
        block_bytes: volume.superblock.block_bytes,
    };
    let head = journal.block(0)?.1;
    if be::u32_at(&head, 0)? != MAGIC || !matches!(be::u32_at(&head, 4)?, 3 | 4) {
        return Err(corrupt("the journal has no superblock"));
    }
    journal.read_superblock(&head)?;
    let start = be::u32_at(&head, 28)?;
    let sequence = be::u32_at(&head, 24)?;
    if start == 0 {
        let state = journal.fast_state(sequence)?.unwrap_or(State::Clean);
        return Ok(Replay {
            moved: BTreeMap::new(),
            state,
        });
    }
    journal.scan(start, sequence)
}

impl Journal<'_> {
    fn read_superblock(&mut self, head: &[u8]) -> Result<(), FileError> {
        if be::u32_at(head, 4)? == 4 {
            self.features = be::u32_at(head, 40)?;
        }
        if self.features & !KNOWN != 0 {
            return Err(unreadable(format!(
                "the journal has features that are not known here ({:#x})",
                self.features
            )));
        }
        self.first = be::u32_at(head, 20)?;
        self.end = be::u32_at(head, 16)?;
        let blocks = self.inode.size_bytes / u64::from(self.block_bytes);
        if be::u32_at(head, 12)? != self.block_bytes
            || self.first == 0
            || self.first >= self.end
            || u64::from(self.end) > blocks
        {
            return Err(corrupt(
                "the journal's superblock does not agree with itself",
            ));
        }
        if self.has_checksums() {
            self.seed = crc32c(!0, part(head, 48, 16)?);
            let mut bytes = part(head, 0, 1024)?.to_vec();
            let expected = be::u32_at(&bytes, 0xFC)?;
            if let Some(field) = bytes.get_mut(0xFC..0x100) {
                field.fill(0);
            }
            if crc32c(!0, &bytes) != expected {
                return Err(corrupt("the journal's superblock has another checksum"));
            }
        }
        if self.features & FAST_COMMITS != 0 {
            let stored = be::u32_at(head, 0x54)?;
            self.fast_blocks = if stored == 0 { 256 } else { stored };
            self.end = self.end.saturating_sub(self.fast_blocks);
            if self.end <= self.first {
                return Err(corrupt("the journal has room for fast commits alone"));
            }
        }
        Ok(())
    }

    fn has_checksums(&self) -> bool {
        self.features & (CHECKSUMS_2 | CHECKSUMS_3) != 0
    }

    /// Returns where a block of the log lies, and its bytes.
    fn block(&self, number: u32) -> Result<(u64, Vec<u8>), FileError> {
        let offset = self.offset(number)?;
        let len = usize::try_from(self.block_bytes).unwrap_or(0);
        Ok((offset, self.volume.reader.bytes(offset, len)?))
    }

    fn offset(&self, number: u32) -> Result<u64, FileError> {
        let run = run_at(self.volume, &self.inode, u64::from(number))?;
        let block = run.block.ok_or_else(|| corrupt("the journal has a hole"))?;
        self.volume.superblock.block_offset(block)
    }

    fn next(&self, number: u32) -> u32 {
        match number + 1 {
            next if next >= self.end => self.first,
            next => next,
        }
    }

    fn scan(&self, start: u32, mut sequence: u32) -> Result<Replay, FileError> {
        let mut moved: BTreeMap<u64, (u32, MovedBlock)> = BTreeMap::new();
        let mut revoked: BTreeMap<u64, u32> = BTreeMap::new();
        let mut open = Open::default();
        if start < self.first || start >= self.end {
            return Err(corrupt("the journal begins outside itself"));
        }
        let mut at = start;
        // Once around: what comes after is what was there before.
        let mut left = self.end - self.first;
        while left > 0 {
            left -= 1;
            let block = self.block(at)?.1;
            if be::u32_at(&block, 0)? != MAGIC || be::u32_at(&block, 8)? != sequence {
                break;
            }
            at = self.next(at);
            match be::u32_at(&block, 4)? {
                DESCRIPTOR if self.is_whole(&block)? => {
                    let before = open.blocks.len();
                    at = self.descriptor(&block, at, sequence, &mut open)?;
                    let count = u32::try_from(open.blocks.len() - before).unwrap_or(u32::MAX);
                    left = left.saturating_sub(count);
                }
                REVOKE if self.is_whole(&block)? => self.revokes(&block, &mut open)?,
                COMMIT if self.is_commit(&block)? => {
                    let Open {
                        blocks,
                        revoked: gone,
                    } = std::mem::take(&mut open);
                    moved.extend(blocks.into_iter().map(|(to, from)| (to, (sequence, from))));
                    revoked.extend(gone.into_iter().map(|block| (block, sequence)));
                    sequence = sequence.wrapping_add(1);
                }
                _ => break,
            }
        }
        let is_live = |block: &u64, written: u32| {
            let gone = revoked.get(block);
            gone.is_none_or(|gone| gone.wrapping_sub(written).cast_signed() < 0)
        };
        let moved: BTreeMap<u64, MovedBlock> = moved
            .into_iter()
            .filter(|(block, (written, _))| is_live(block, *written))
            .map(|(block, (_, from))| (block, from))
            .collect();
        let state = self.fast_state(sequence)?.unwrap_or(State::Replayed);
        Ok(Replay { moved, state })
    }

    /// Says whether a descriptor or revoke block has its checksum.
    fn is_whole(&self, block: &[u8]) -> Result<bool, FileError> {
        if !self.has_checksums() {
            return Ok(true);
        }
        let tail = block.len() - 4;
        let seed = crc32c(self.seed, part(block, 0, tail)?);
        Ok(crc32c(seed, &[0; 4]) == be::u32_at(block, tail)?)
    }

    fn is_commit(&self, block: &[u8]) -> Result<bool, FileError> {
        if !self.has_checksums() {
            return Ok(true);
        }
        let expected = be::u32_at(block, 16)?;
        let mut bytes = block.to_vec();
        if let Some(field) = bytes.get_mut(16..20) {
            field.fill(0);
        }
        Ok(crc32c(self.seed, &bytes) == expected)
    }

    /// Takes a descriptor's tags; returns where the log goes on behind their blocks.
    fn descriptor(
        &self,
        block: &[u8],
        mut at: u32,
        sequence: u32,
        open: &mut Open,
    ) -> Result<u32, FileError> {
        let end = block.len() - if self.has_checksums() { 4 } else { 0 };
        let tag_bytes = match self.features {
            features if features & CHECKSUMS_3 != 0 => 16,
            features => {
                let wide = if features & WIDE != 0 { 12 } else { 8 };
                wide + if features & CHECKSUMS_2 != 0 { 2 } else { 0 }
            }
        };
        let mut place = 12;
        while place + tag_bytes <= end {
            let tag = part(block, place, tag_bytes)?;
            place += tag_bytes;
            let flags = if tag_bytes == 16 {
                be::u32_at(tag, 4)?
            } else {
                u32::from(be::u16_at(tag, 6)?)
            };
            if flags & SAME_UUID == 0 {
                place += 16;
            }
            let high = if self.features & WIDE != 0 {
                be::u32_at(tag, 8)?
            } else {
                0
            };
            let to = u64::from(high) << 32 | u64::from(be::u32_at(tag, 0)?);
            let moved = MovedBlock {
                offset: self.offset(at)?,
                head: (flags & ESCAPED != 0).then_some(MAGIC.to_be_bytes()),
                checksum: self.tag_checksum(tag, sequence)?,
            };
            open.blocks.push((to, moved));
            if open.blocks.len() > usize::try_from(self.end).unwrap_or(usize::MAX) {
                return Err(corrupt("a transaction is longer than its journal"));
            }
            at = self.next(at);
            if flags & LAST != 0 {
                break;
            }
        }
        Ok(at)
    }

    fn tag_checksum(&self, tag: &[u8], sequence: u32) -> Result<Option<BlockChecksum>, FileError> {
        if !self.has_checksums() {
            return Ok(None);
        }
        let (expected, mask) = if tag.len() == 16 {
            (be::u32_at(tag, 12)?, !0)
        } else {
            (u32::from(be::u16_at(tag, 4)?), 0xFFFF)
        };
        Ok(Some(BlockChecksum {
            seed: crc32c(self.seed, &sequence.to_be_bytes()),
            expected,
            mask,
        }))
    }

    fn revokes(&self, block: &[u8], open: &mut Open) -> Result<(), FileError> {
        let end = usize::try_from(be::u32_at(block, 12)?).unwrap_or(usize::MAX);
        let width = if self.features & WIDE != 0 { 8 } else { 4 };
        let records = block.get(16..end.min(block.len())).unwrap_or_default();
        for record in records.chunks_exact(width) {
            let number = record
                .iter()
                .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
            open.revoked.push(number);
        }
        Ok(())
    }

    /// Fast commits say what changed, not which blocks: they are not done here. Says so if there are any.
    fn fast_state(&self, sequence: u32) -> Result<Option<State>, FileError> {
        const HEAD: u16 = 9;
        if self.features & FAST_COMMITS == 0 {
            return Ok(None);
        }
        // One block lies between them and the log.
        let first = self.block(self.end + 1)?.1;
        let is_head = le::u16_at(&first, 0)? == HEAD && u8_at(&first, 2)? >= 8;
        if !is_head || le::u32_at(&first, 8)?.wrapping_sub(sequence).cast_signed() < 0 {
            return Ok(None);
        }
        Ok(Some(State::Behind(
            "the guest's journal has fast commits, which are not read: what was synced since the \
             last full commit (a few seconds) is not shown"
                .to_owned(),
        )))
    }
}
