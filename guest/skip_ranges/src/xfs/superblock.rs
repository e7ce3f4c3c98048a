//! The superblock.

use crate::fields::{be, le, part, u8_at};
use crate::refusal::{Read, Refusal, RefusalKind, ensure};
use crate::volume::Volume;

/// Free inodes, reverse mappings, shared extents, counts of inode trees.
const READ_ONLY_KNOWN: u32 = 0x0F;
/// File types, sparse inodes, another id, large times, large counts of extents, exchange of ranges,
/// parents. Not: a volume that needs repair, folders of metadata, zones.
const INCOMPATIBLE_KNOWN: u32 = 0x01 | 0x02 | 0x04 | 0x08 | 0x20 | 0x40 | 0x80;
/// Where the checksum of a superblock lies.
const CHECKSUM_AT: usize = 224;
const GROUPS_MAX: u64 = 1 << 20;

/// How a volume is laid out.
#[derive(Debug, Clone)]
pub(crate) struct Superblock {
    /// Structures have checksums, and say where they are (version 5).
    pub(crate) is_v5: bool,
    pub(crate) block_bytes: u64,
    pub(crate) sector_bytes: u64,
    pub(crate) blocks: u64,
    pub(crate) group_blocks: u64,
    pub(crate) groups: u64,
    pub(crate) log_start: u64,
    pub(crate) log_blocks: u64,
    group_shift: u8,
    /// The id that structures carry.
    pub(crate) id: [u8; 16],
}

impl Superblock {
    pub(crate) fn read(volume: &Volume<'_>) -> Read<Self> {
        let head = volume.read(0, 512)?;
        let wide = |at| be::u32_at(&head, at).map(u64::from);
        let sector_bytes = u64::from(be::u16_at(&head, 102)?);
        ensure(
            sector_bytes.is_power_of_two() && (512..=32768).contains(&sector_bytes),
            "sectors have no size that makes sense",
        )?;
        let version = be::u16_at(&head, 100)? & 15;
        let incompatible = be::u32_at(&head, 216)?;
        if version == 5 {
            let sector = volume.read(0, sector_bytes)?;
            check_sum(&sector, CHECKSUM_AT, "superblock")?;
            check_features(&head, incompatible)?;
        } else if version != 4 {
            let what = format!("version {version} is not known");
            return Err(Refusal::new(RefusalKind::UnknownFeature, what));
        }
        // A volume that was given another id keeps the first one in its structures.
        let id_at = if version == 5 && incompatible & 0x04 != 0 {
            248
        } else {
            32
        };
        let mut id = [0; 16];
        id.copy_from_slice(part(&head, id_at, 16)?);
        let superblock = Self {
            is_v5: version == 5,
            block_bytes: wide(4)?,
            sector_bytes,
            blocks: be::u64_at(&head, 8)?,
            group_blocks: wide(84)?,
            groups: wide(88)?,
            log_start: be::u64_at(&head, 48)?,
            log_blocks: wide(96)?,
            group_shift: u8_at(&head, 124)?,
            id,
        };
        superblock.check(volume, u8_at(&head, 126)?)?;
        Ok(superblock)
    }

    fn check(&self, volume: &Volume<'_>, in_progress: u8) -> Read<()> {
        ensure(in_progress == 0, "it was never finished")?;
        ensure(
            self.block_bytes.is_power_of_two()
                && (512..=64 << 10).contains(&self.block_bytes)
                && self.sector_bytes <= self.block_bytes,
            "blocks have no size that makes sense",
        )?;
        let fits = self
            .blocks
            .checked_mul(self.block_bytes)
            .is_some_and(|len| len <= volume.len_bytes);
        ensure(fits, "the volume is larger than its partition")?;
        ensure(
            self.group_blocks > 0
                && self.groups > 0
                && self.groups <= GROUPS_MAX
                && self.blocks.div_ceil(self.group_blocks) == self.groups
                && u64::from(self.group_shift)
                    == u64::from(self.group_blocks.next_power_of_two().trailing_zeros()),
            "its groups do not make up its size",
        )
    }

    /// Returns the block of the volume that a number of a block means, whose upper bits are its
    /// group.
    pub(crate) fn block(&self, number: u64) -> u64 {
        // At most 32: the shift belongs to a number of 32 bits.
        let shift = u32::from(self.group_shift.min(32));
        let (group, block) = (number >> shift, number & ((1 << shift) - 1));
        group
            .saturating_mul(self.group_blocks)
            .saturating_add(block)
    }

    /// Returns the blocks of a group; the last one may have fewer.
    pub(crate) fn blocks_of(&self, group: u64) -> u64 {
        self.group_blocks
            .min(self.blocks.saturating_sub(group * self.group_blocks))
    }
}

fn check_features(head: &[u8], incompatible: u32) -> Read<()> {
    let read_only = be::u32_at(head, 212)? & !READ_ONLY_KNOWN;
    let incompatible = incompatible & !INCOMPATIBLE_KNOWN;
    let log = be::u32_at(head, 220)?;
    if log != 0 {
        return Err(Refusal::dirty("its log holds changes of a kind of its own"));
    }
    if (read_only, incompatible) != (0, 0) {
        let what =
            format!("it has features that are not known here ({read_only:#x}, {incompatible:#x})");
        return Err(Refusal::new(RefusalKind::UnknownFeature, what));
    }
    Ok(())
}

/// Checks the CRC-32C of a structure, which takes its own place as zeros and lies there the other
/// way round than all else.
pub(crate) fn check_sum(bytes: &[u8], at: usize, what: &str) -> Read<()> {
    let kept = le::u32_at(bytes, at)?;
    let (before, after) = (part(bytes, 0, at)?, bytes.get(at + 4..).unwrap_or_default());
    let sum = crc32c::crc32c_append(crc32c::crc32c(before), &[0; 4]);
    ensure(
        crc32c::crc32c_append(sum, after) == kept,
        &format!("the checksum of a {what} is wrong"),
    )
}
