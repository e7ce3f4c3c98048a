//! The superblock of ext2, ext3 and ext4.

use crate::posix::fields::{joined, label_text, le, part, u8_at, uuid_at, uuid_text};
use crate::posix::{corrupt, unreadable};
use crate::{FileError, posix::volume_reader::VolumeReader};

/// Where it lies, whatever the block size.
pub(super) const OFFSET: u64 = 1024;
/// How long it is.
pub(super) const BYTES: usize = 1024;

const HAS_JOURNAL: u32 = 0x4;
const SPARSE_SUPER2: u32 = 0x200;

const COMPRESSION: u32 = 0x1;
const NEEDS_RECOVERY: u32 = 0x4;
const JOURNAL_DEVICE: u32 = 0x8;
const META_GROUPS: u32 = 0x10;
const WIDE: u32 = 0x80;
const DATA_IN_NAMES: u32 = 0x1000;
const SEED_STORED: u32 = 0x2000;
const LARGE_FOLDERS: u32 = 0x4000;
/// All that does not change how a volume is read, or that is known here: file types, recovery, meta
/// groups, extents, 64 bits, multiple mounts, flexible groups, values in inodes, the checksums' seed,
/// large folders, data in inodes, encryption, case folding.
const READABLE: u32 = 0x2
    | 0x4
    | 0x10
    | 0x40
    | 0x80
    | 0x100
    | 0x200
    | 0x400
    | 0x2000
    | 0x4000
    | 0x8000
    | 0x1_0000
    | 0x2_0000;

const SPARSE_SUPER: u32 = 0x1;
const CHECKSUMS: u32 = 0x400;
const CLUSTERS: u32 = 0x200;

/// What a superblock says.
#[derive(Debug, Clone)]
pub(super) struct Superblock {
    pub(super) block_bytes: u32,
    pub(super) cluster_bytes: u64,
    pub(super) blocks: u64,
    pub(super) free_blocks: u64,
    pub(super) inodes: u32,
    pub(super) inode_bytes: u16,
    pub(super) inodes_per_group: u32,
    /// What checksums go on from, where there are any.
    pub(super) checksum_seed: Option<u32>,
    pub(super) label: String,
    pub(super) uuid: String,
    /// The inode of its journal; zero where that is on another device.
    pub(super) journal_inode: u32,
    pub(super) was_unmounted: bool,
    first_data_block: u32,
    blocks_per_group: u32,
    descriptor_bytes: u16,
    first_meta_block: u32,
    backup_groups: [u32; 2],
    compatible: u32,
    incompatible: u32,
    read_only: u32,
}

impl Superblock {
    /// Reads it from its place.
    pub(super) fn read(reader: &VolumeReader) -> Result<Self, FileError> {
        Self::parse(&reader.bytes(OFFSET, BYTES)?)
    }

    fn parse(bytes: &[u8]) -> Result<Self, FileError> {
        if le::u16_at(bytes, 0x38)? != 0xEF53 {
            return Err(corrupt("the superblock of ext has another signature"));
        }
        let incompatible = le::u32_at(bytes, 0x60)?;
        refuse(incompatible)?;
        let read_only = le::u32_at(bytes, 0x64)?;
        let shift = le::u32_at(bytes, 0x18)?;
        if shift > 6 {
            return Err(corrupt(
                "the superblock of ext has a block size that none has",
            ));
        }
        let wide = incompatible & WIDE != 0;
        let high = |offset| {
            if wide {
                le::u32_at(bytes, offset)
            } else {
                Ok(0)
            }
        };
        let block_bytes = 1024_u32 << shift;
        let cluster_shift = if read_only & CLUSTERS == 0 {
            shift
        } else {
            le::u32_at(bytes, 0x1C)?.min(20)
        };
        let uuid = uuid_at(bytes, 0x68)?;
        let first_version = le::u32_at(bytes, 0x4C)? == 0;
        let superblock = Self {
            block_bytes,
            cluster_bytes: 1024 << cluster_shift,
            blocks: joined(high(0x150)?, le::u32_at(bytes, 0x4)?),
            free_blocks: joined(high(0x158)?, le::u32_at(bytes, 0xC)?),
            inodes: le::u32_at(bytes, 0)?,
            inode_bytes: if first_version {
                128
            } else {
                le::u16_at(bytes, 0x58)?
            },
            inodes_per_group: le::u32_at(bytes, 0x28)?,
            checksum_seed: checksum_seed(bytes, incompatible, read_only, &uuid)?,
            label: label_text(part(bytes, 0x78, 16)?),
            uuid: uuid_text(&uuid),
            journal_inode: le::u32_at(bytes, 0xE0)?,
            was_unmounted: le::u16_at(bytes, 0x3A)? & 1 != 0,
            first_data_block: le::u32_at(bytes, 0x14)?,
            blocks_per_group: le::u32_at(bytes, 0x20)?,
            descriptor_bytes: if wide { le::u16_at(bytes, 0xFE)? } else { 32 },
            first_meta_block: le::u32_at(bytes, 0x104)?,
            backup_groups: [le::u32_at(bytes, 0x24C)?, le::u32_at(bytes, 0x250)?],
            compatible: le::u32_at(bytes, 0x5C)?,
            incompatible,
            read_only,
        };
        superblock.check()?;
        Ok(superblock)
    }

    fn check(&self) -> Result<(), FileError> {
        let inode_fits = self.inode_bytes.is_power_of_two()
            && self.inode_bytes >= 128
            && u32::from(self.inode_bytes) <= self.block_bytes;
        let descriptor_fits =
            self.descriptor_bytes.is_power_of_two() && (32..=1024).contains(&self.descriptor_bytes);
        let places = self.blocks.checked_mul(u64::from(self.block_bytes));
        if !inode_fits
            || !descriptor_fits
            || places.is_none()
            || self.blocks == 0
            || self.blocks_per_group == 0
            || self.inodes_per_group == 0
        {
            return Err(corrupt("the superblock of ext does not agree with itself"));
        }
        Ok(())
    }

    pub(super) fn has_journal(&self) -> bool {
        self.compatible & HAS_JOURNAL != 0
    }

    pub(super) fn needs_recovery(&self) -> bool {
        self.incompatible & NEEDS_RECOVERY != 0
    }

    pub(super) fn has_large_folders(&self) -> bool {
        self.incompatible & LARGE_FOLDERS != 0
    }

    /// Returns where the descriptor of a group lies, in bytes.
    pub(super) fn descriptor_offset(&self, group: u32) -> Result<u64, FileError> {
        let size = u32::from(self.descriptor_bytes);
        let per_block = self.block_bytes / size;
        let (block, slot) = (group / per_block, group % per_block);
        // The superblock lies in block 1 where blocks are of 1 KiB.
        let first = u64::from(self.block_bytes == 1024);
        let place = if self.incompatible & META_GROUPS == 0 || block < self.first_meta_block {
            first + 1 + u64::from(block)
        } else {
            let leader = block * per_block;
            let extra = self.block_bytes == 1024 && block == 0 && self.first_data_block == 0;
            u64::from(self.first_data_block)
                + u64::from(leader) * u64::from(self.blocks_per_group)
                + u64::from(self.has_superblock(leader))
                + u64::from(extra)
        };
        self.block_offset(place)
            .map(|at| at + u64::from(slot) * u64::from(size))
    }

    /// Returns how long a group's descriptor is.
    pub(super) fn descriptor_bytes(&self) -> usize {
        usize::from(self.descriptor_bytes)
    }

    /// Returns where a block lies, in bytes.
    pub(super) fn block_offset(&self, block: u64) -> Result<u64, FileError> {
        block
            .checked_mul(u64::from(self.block_bytes))
            .ok_or_else(|| corrupt("a block's number is too large"))
    }

    fn has_superblock(&self, group: u32) -> bool {
        if self.compatible & SPARSE_SUPER2 != 0 {
            return group == 0 || self.backup_groups.contains(&group);
        }
        if group <= 1 || self.read_only & SPARSE_SUPER == 0 {
            return true;
        }
        [3_u64, 5, 7].into_iter().any(|base| {
            let mut power = base;
            while power < u64::from(group) {
                power *= base;
            }
            power == u64::from(group)
        })
    }
}

/// Refuses by name what is not read here.
fn refuse(incompatible: u32) -> Result<(), FileError> {
    if incompatible & JOURNAL_DEVICE != 0 {
        return Err(unreadable("this is the journal of another ext volume"));
    }
    for (feature, name) in [
        (COMPRESSION, "compression (e2compr)"),
        (DATA_IN_NAMES, "data in folder entries (dirdata, Lustre)"),
    ] {
        if incompatible & feature != 0 {
            return Err(unreadable(format!("there is no reader for ext's {name}")));
        }
    }
    match incompatible & !READABLE {
        0 => Ok(()),
        unknown => Err(unreadable(format!(
            "the ext volume has features that are not known here (incompat {unknown:#x})"
        ))),
    }
}

/// Returns what checksums go on from, and sees that the superblock's own is right.
fn checksum_seed(
    bytes: &[u8],
    incompatible: u32,
    read_only: u32,
    uuid: &[u8; 16],
) -> Result<Option<u32>, FileError> {
    if read_only & CHECKSUMS == 0 {
        return Ok(None);
    }
    if u8_at(bytes, 0x175)? != 1 {
        return Err(unreadable(
            "the ext volume has a kind of checksum that is not known here",
        ));
    }
    let found = super::crc32c(!0, part(bytes, 0, 0x3FC)?);
    if found != le::u32_at(bytes, 0x3FC)? {
        return Err(corrupt("the superblock of ext has another checksum"));
    }
    Ok(Some(if incompatible & SEED_STORED == 0 {
        super::crc32c(!0, uuid)
    } else {
        le::u32_at(bytes, 0x270)?
    }))
}
