//! Block groups: their descriptors, and what is free in them.

use std::ops::Range;

use block_io::ByteRanges;

use crate::bits::clear_runs;
use crate::ext::checksum::{crc16, crc32c};
use crate::ext::superblock::{Checksums, Superblock};
use crate::fields::{index, le, part};
use crate::found_ranges::FoundRanges;
use crate::refusal::{Read, ensure};
use crate::volume::Volume;

/// The bitmap was never written: nothing is in use but what the layout puts there.
const BITMAP_NOT_MADE: u16 = 2;

/// What a descriptor says.
struct Descriptor {
    block_bitmap: u64,
    inode_bitmap: u64,
    inode_table: u64,
    free: u64,
    flags: u16,
    bitmap_checksum: u32,
    /// How many bits of the bitmap's checksum are kept.
    bitmap_checksum_mask: u32,
}

/// All groups of a volume.
pub(crate) struct Groups<'a> {
    volume: &'a Volume<'a>,
    superblock: &'a Superblock,
    /// Blocks that hold structures of the file system, wherever their groups put them. Where there
    /// are very many this grows, and more is kept.
    structures: ByteRanges,
}

impl<'a> Groups<'a> {
    pub(crate) fn open(volume: &'a Volume<'a>, superblock: &'a Superblock) -> Read<Self> {
        let mut groups = Self {
            volume,
            superblock,
            structures: ByteRanges::new(),
        };
        let mut structures = [const { Vec::new() }; 4];
        groups.each(|group, descriptor| {
            let first = superblock.first_block_of(group);
            let tables = superblock.descriptor_blocks() + superblock.reserved_descriptor_blocks;
            let head = match superblock.first_meta_group {
                _ if superblock.has_copy(group) => 1 + tables,
                Some(_) => 2,
                None => 0,
            };
            let parts = [
                (descriptor.block_bitmap, 1),
                (descriptor.inode_bitmap, 1),
                (descriptor.inode_table, superblock.inode_table_blocks),
                (first, head),
            ];
            for (blocks, (start, len)) in structures.iter_mut().zip(parts) {
                append(blocks, start..start.saturating_add(len));
            }
            Ok(())
        })?;
        // In order, so that each is added in no time.
        let mut structures = structures.concat();
        structures.sort_unstable_by_key(|blocks| blocks.start);
        groups.structures = structures.into_iter().collect();
        Ok(groups)
    }

    /// Adds all that is free.
    pub(crate) fn free(&self, found: &mut FoundRanges) -> Read<()> {
        self.each(|group, descriptor| self.free_in(group, descriptor, found))
    }

    /// Reads all descriptors, a block of them at a time.
    fn each(&self, mut visit: impl FnMut(u64, &Descriptor) -> Read<()>) -> Read<()> {
        let superblock = self.superblock;
        let per_block = superblock.descriptors_per_block();
        for number in 0..superblock.descriptor_blocks() {
            let place = self.descriptor_block(number) * superblock.block_bytes;
            let block = self.volume.read(place, superblock.block_bytes)?;
            let first = number * per_block;
            for group in first..(first + per_block).min(superblock.groups) {
                let at = index((group - first) * superblock.descriptor_bytes)?;
                let bytes = part(&block, at, index(superblock.descriptor_bytes)?)?;
                self.check_descriptor(group, bytes)?;
                visit(group, &parse(bytes)?)?;
            }
        }
        Ok(())
    }

    /// Returns where a block of descriptors lies: behind the superblock, or (meta groups) in the
    /// first of the groups that it describes.
    fn descriptor_block(&self, number: u64) -> u64 {
        let superblock = self.superblock;
        match superblock.first_meta_group {
            Some(first) if number >= first => {
                let group = number * superblock.descriptors_per_block();
                let before = u64::from(superblock.has_copy(group));
                // Block 0 of a volume with blocks of 1 KiB is the boot block.
                let boot =
                    superblock.block_bytes == 1024 && number == 0 && superblock.first_block == 0;
                superblock.first_block_of(group) + before + u64::from(boot)
            }
            // The superblock is in the block at 1024.
            _ => 1024 / superblock.block_bytes + 1 + number,
        }
    }

    fn check_descriptor(&self, group: u64, bytes: &[u8]) -> Read<()> {
        let number = u32::try_from(group).unwrap_or(u32::MAX).to_le_bytes();
        let kept = le::u16_at(bytes, 30)?;
        let (before, after) = (part(bytes, 0, 30)?, bytes.get(32..).unwrap_or_default());
        let right = match self.superblock.checksums {
            Checksums::None => true,
            Checksums::Groups(seed) => crc16(crc16(crc16(seed, &number), before), after) == kept,
            Checksums::All(seed) => {
                let crc = crc32c(crc32c(crc32c(seed, &number), before), &[0, 0]);
                crc32c(crc, after) & 0xFFFF == u32::from(kept)
            }
        };
        ensure(right, "the checksum of a group is wrong")
    }

    /// Adds what is free in one group.
    fn free_in(&self, group: u64, descriptor: &Descriptor, found: &mut FoundRanges) -> Read<()> {
        let superblock = self.superblock;
        let first = superblock.first_block_of(group);
        let blocks = superblock.blocks_per_group.min(superblock.blocks - first);
        let clusters = blocks.div_ceil(superblock.cluster_blocks);
        let checked = !matches!(superblock.checksums, Checksums::None);
        if checked && descriptor.flags & BITMAP_NOT_MADE != 0 {
            return self.add(first..first + blocks, found);
        }
        let place = descriptor
            .block_bitmap
            .saturating_mul(superblock.block_bytes);
        let bitmap = self.volume.read(place, superblock.block_bytes)?;
        let bits = superblock.blocks_per_group / superblock.cluster_blocks;
        if let Checksums::All(seed) = superblock.checksums {
            let crc = crc32c(seed, part(&bitmap, 0, index(bits / 8)?)?);
            ensure(
                crc & descriptor.bitmap_checksum_mask == descriptor.bitmap_checksum,
                "the checksum of a bitmap is wrong",
            )?;
        }
        let mut runs: Vec<Range<u64>> = Vec::new();
        clear_runs(&bitmap, |run| runs.push(run.start..run.end.min(clusters)));
        runs.retain(|run| !run.is_empty());
        let free: u64 = runs.iter().map(|run| run.end - run.start).sum();
        ensure(
            free == descriptor.free,
            "a group counts another number of free blocks than its bitmap has",
        )?;
        for run in runs {
            let start = first + run.start * superblock.cluster_blocks;
            let end = (first + run.end * superblock.cluster_blocks).min(first + blocks);
            self.add(start..end, found)?;
        }
        Ok(())
    }

    /// Adds free blocks, but for those that hold structures.
    fn add(&self, blocks: Range<u64>, found: &mut FoundRanges) -> Read<()> {
        let at = |block: u64| self.volume.offset + block * self.superblock.block_bytes;
        let mut start = blocks.start;
        for used in self.structures.within(blocks.clone()) {
            found.add(at(start)..at(used.start.max(start)));
            start = start.max(used.end);
        }
        found.add(at(start)..at(blocks.end.max(start)));
        Ok(())
    }
}

/// Adds blocks to those of the groups before, which they often follow.
fn append(blocks: &mut Vec<Range<u64>>, next: Range<u64>) {
    match blocks.last_mut() {
        Some(last) if last.end == next.start => last.end = next.end,
        _ => blocks.push(next),
    }
}

fn parse(bytes: &[u8]) -> Read<Descriptor> {
    let wide = bytes.len() >= 64;
    let block = |low: usize, high: usize| -> Read<u64> {
        let above = if wide { le::u32_at(bytes, high)? } else { 0 };
        Ok(u64::from(le::u32_at(bytes, low)?) | u64::from(above) << 32)
    };
    let half = |low: usize, high: usize| -> Read<u32> {
        let above = if wide { le::u16_at(bytes, high)? } else { 0 };
        Ok(u32::from(le::u16_at(bytes, low)?) | u32::from(above) << 16)
    };
    Ok(Descriptor {
        block_bitmap: block(0, 32)?,
        inode_bitmap: block(4, 36)?,
        inode_table: block(8, 40)?,
        free: u64::from(half(12, 44)?),
        flags: le::u16_at(bytes, 18)?,
        bitmap_checksum: half(24, 56)?,
        bitmap_checksum_mask: if wide { u32::MAX } else { 0xFFFF },
    })
}
