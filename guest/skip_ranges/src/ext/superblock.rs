//! The superblock.

use crate::ext::checksum::crc32c;
use crate::fields::{le, part};
use crate::refusal::{Read, Refusal, RefusalKind, ensure};
use crate::volume::Volume;

const COMPATIBLE_KNOWN: u32 =
    0x0001 | 0x0002 | 0x0004 | 0x0008 | 0x0010 | 0x0020 | SPARSE_SUPER2 | 0x0400 | 0x0800 | 0x1000;
const SPARSE_SUPER2: u32 = 0x0200;
const RECOVER: u32 = 0x0004;
const META_BG: u32 = 0x0010;
const WIDE: u32 = 0x0080;
const CHECKSUM_SEED: u32 = 0x2000;
/// File types, extents, flexible groups, large attributes, large folders, inline data, encryption,
/// letters' case.
const INCOMPATIBLE_KNOWN: u32 = 0x0002
    | META_BG
    | 0x0040
    | WIDE
    | 0x0200
    | 0x0400
    | CHECKSUM_SEED
    | 0x4000
    | 0x8000
    | 0x1_0000
    | 0x2_0000;
const SPARSE_SUPER: u32 = 0x0001;
const GROUP_CHECKSUMS: u32 = 0x0010;
const CLUSTERS: u32 = 0x0200;
const ALL_CHECKSUMS: u32 = 0x0400;
const ORPHANS_PRESENT: u32 = 0x1_0000;
/// Large and huge files, many links, larger inodes, quota, read-only, projects, verity.
const READ_ONLY_KNOWN: u32 = SPARSE_SUPER
    | 0x0002
    | 0x0008
    | GROUP_CHECKSUMS
    | 0x0020
    | 0x0040
    | 0x0100
    | CLUSTERS
    | ALL_CHECKSUMS
    | 0x1000
    | 0x2000
    | 0x8000;

/// Closed, and without errors.
const STATE_CLEAN: u16 = 1;
/// 128 TiB with blocks of 4 KiB.
const GROUPS_MAX: u64 = 1 << 20;

/// How a volume is laid out.
#[derive(Debug, Clone)]
pub(crate) struct Superblock {
    pub(crate) block_bytes: u64,
    pub(crate) first_block: u64,
    pub(crate) blocks: u64,
    pub(crate) blocks_per_group: u64,
    /// Blocks that a bit of a bitmap stands for.
    pub(crate) cluster_blocks: u64,
    pub(crate) groups: u64,
    pub(crate) descriptor_bytes: u64,
    pub(crate) reserved_descriptor_blocks: u64,
    pub(crate) inode_table_blocks: u64,
    pub(crate) first_meta_group: Option<u64>,
    pub(crate) checksums: Checksums,
    copies: Copies,
}

/// How descriptors and bitmaps are checked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Checksums {
    None,
    /// CRC-16 of the descriptors, from a CRC-16 of the volume's id.
    Groups(u16),
    /// CRC-32C of everything, from this seed.
    All(u32),
}

/// Which groups have copies of the superblock.
#[derive(Debug, Clone, Copy)]
enum Copies {
    Everywhere,
    PowersOf357,
    These([u64; 2]),
}

impl Superblock {
    pub(crate) fn read(volume: &Volume<'_>) -> Read<Self> {
        let bytes = volume.read(1024, 1024)?;
        let u16_at = |at| le::u16_at(&bytes, at);
        let u32_at = |at| le::u32_at(&bytes, at);
        let wide_at = |at| le::u32_at(&bytes, at).map(u64::from);
        let (compatible, incompatible, read_only) = (u32_at(92)?, u32_at(96)?, u32_at(100)?);
        check_at_rest(incompatible, read_only, u16_at(58)?)?;
        let unknown = [
            (compatible & !COMPATIBLE_KNOWN, "compatible"),
            (incompatible & !INCOMPATIBLE_KNOWN, "incompatible"),
            (read_only & !READ_ONLY_KNOWN, "read-only compatible"),
        ];
        if let Some((flags, set)) = unknown.iter().find(|(flags, _)| *flags != 0) {
            let what = format!("it has {set} features that are not known here ({flags:#x})");
            return Err(Refusal::new(RefusalKind::UnknownFeature, what));
        }
        let checksums = checksums(&bytes, incompatible, read_only)?;
        let (block_shift, cluster_shift) = (u32_at(24)?, u32_at(28)?);
        ensure(block_shift <= 6, "blocks have no size that makes sense")?;
        let has_clusters = read_only & CLUSTERS != 0;
        let ratio_shift = if has_clusters {
            cluster_shift
                .checked_sub(block_shift)
                .filter(|shift| *shift <= 20)
        } else {
            Some(0)
        };
        let ratio_shift = ratio_shift
            .ok_or_else(|| Refusal::damaged("clusters have no size that makes sense"))?;
        let wide = incompatible & WIDE != 0;
        let high = if wide { wide_at(0x150)? << 32 } else { 0 };
        let descriptor_bytes = if wide { u64::from(u16_at(0xFE)?) } else { 32 };
        let inode_bytes = if u32_at(76)? == 0 {
            128
        } else {
            u64::from(u16_at(88)?)
        };
        let block_bytes = 1024 << block_shift;
        let mut superblock = Self {
            block_bytes,
            first_block: wide_at(20)?,
            blocks: wide_at(4)? | high,
            blocks_per_group: wide_at(32)?,
            cluster_blocks: 1 << ratio_shift,
            groups: 0,
            descriptor_bytes,
            reserved_descriptor_blocks: u64::from(u16_at(0xCE)?),
            inode_table_blocks: (wide_at(40)? * inode_bytes).div_ceil(block_bytes),
            first_meta_group: (incompatible & META_BG != 0)
                .then(|| wide_at(0x104))
                .transpose()?,
            checksums,
            copies: if compatible & SPARSE_SUPER2 != 0 {
                Copies::These([wide_at(0x24C)?, wide_at(0x250)?])
            } else if read_only & SPARSE_SUPER != 0 {
                Copies::PowersOf357
            } else {
                Copies::Everywhere
            },
        };
        superblock.check(volume)?;
        let counted = superblock.blocks - superblock.first_block;
        superblock.groups = counted.div_ceil(superblock.blocks_per_group);
        ensure(
            superblock.groups <= GROUPS_MAX,
            "it has more groups than any",
        )?;
        Ok(superblock)
    }

    fn check(&self, volume: &Volume<'_>) -> Read<()> {
        let bits = self.blocks_per_group / self.cluster_blocks;
        let fits = self
            .blocks
            .checked_mul(self.block_bytes)
            .is_some_and(|len| len <= volume.len_bytes);
        ensure(fits, "the volume is larger than its partition")?;
        ensure(
            self.first_block <= 1 && self.first_block < self.blocks,
            "the volume begins where none does",
        )?;
        ensure(
            bits >= 8
                && bits.is_multiple_of(8)
                && bits <= 8 * self.block_bytes
                && self.blocks_per_group.is_multiple_of(self.cluster_blocks),
            "groups have no size that makes sense",
        )?;
        ensure(
            self.descriptor_bytes.is_power_of_two()
                && (32..=self.block_bytes).contains(&self.descriptor_bytes),
            "descriptors have no size that makes sense",
        )
    }

    /// Returns the blocks that the descriptors of all groups take.
    pub(crate) fn descriptor_blocks(&self) -> u64 {
        (self.groups * self.descriptor_bytes).div_ceil(self.block_bytes)
    }

    pub(crate) fn descriptors_per_block(&self) -> u64 {
        self.block_bytes / self.descriptor_bytes
    }

    pub(crate) fn first_block_of(&self, group: u64) -> u64 {
        self.first_block + group * self.blocks_per_group
    }

    /// Says whether a group has a copy of the superblock.
    pub(crate) fn has_copy(&self, group: u64) -> bool {
        let is_power = |base: u64| {
            let mut power = base;
            while power < group {
                power *= base;
            }
            power == group
        };
        match self.copies {
            Copies::Everywhere => true,
            Copies::These(groups) => group == 0 || groups.contains(&group),
            Copies::PowersOf357 => group <= 1 || is_power(3) || is_power(5) || is_power(7),
        }
    }
}

fn check_at_rest(incompatible: u32, read_only: u32, state: u16) -> Read<()> {
    if incompatible & RECOVER != 0 {
        let what = "its journal must be replayed: it was in use, and the guest did not freeze it";
        return Err(Refusal::dirty(what));
    }
    if state != STATE_CLEAN || read_only & ORPHANS_PRESENT != 0 {
        let what = "it was not closed, or has errors";
        return Err(Refusal::dirty(what));
    }
    Ok(())
}

fn checksums(bytes: &[u8], incompatible: u32, read_only: u32) -> Read<Checksums> {
    let id = part(bytes, 104, 16)?;
    if read_only & ALL_CHECKSUMS != 0 {
        ensure(
            crc32c(!0, part(bytes, 0, 0x3FC)?) == le::u32_at(bytes, 0x3FC)?,
            "the checksum of its superblock is wrong",
        )?;
        let seed = if incompatible & CHECKSUM_SEED != 0 {
            le::u32_at(bytes, 0x270)?
        } else {
            crc32c(!0, id)
        };
        return Ok(Checksums::All(seed));
    }
    if read_only & GROUP_CHECKSUMS != 0 {
        return Ok(Checksums::Groups(super::checksum::crc16(!0, id)));
    }
    Ok(Checksums::None)
}
