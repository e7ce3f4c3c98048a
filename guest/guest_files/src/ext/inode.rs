//! Inodes of ext: where they lie, and what they say.

use super::Volume;
use crate::posix::fields::{joined, le, part};
use crate::posix::{corrupt, mode, not_found, unreadable};
use crate::{FileError, Node, NodeId, Time, Times};

pub(super) const ENCRYPTED: u32 = 0x800;
const VALUE_OF_ATTRIBUTE: u32 = 0x20_0000;
pub(super) const EXTENTS: u32 = 0x8_0000;
pub(super) const INLINE: u32 = 0x1000_0000;
pub(super) const CASE_FOLDED: u32 = 0x4000_0000;

/// How long an inode is without what came later.
const FIRST_BYTES: usize = 128;

/// An inode.
#[derive(Debug, Clone)]
pub(super) struct Inode {
    pub(super) number: u32,
    pub(super) mode: u16,
    pub(super) size_bytes: u64,
    pub(super) flags: u32,
    /// What `i_block` holds: pointers, extents, or content.
    pub(super) block: [u8; 60],
    /// The block with its extended attributes; zero where it has none.
    pub(super) attribute_block: u64,
    /// What checksums of its blocks go on from.
    pub(super) checksum_seed: Option<u32>,
    /// How many sectors or blocks it occupies, its attributes' among them.
    occupied: u64,
    raw: Vec<u8>,
}

impl Inode {
    pub(super) fn read(volume: &Volume, number: u32) -> Result<Self, FileError> {
        let superblock = &volume.superblock;
        if number == 0 || number > superblock.inodes {
            return Err(not_found(format!("there is no inode {number}")));
        }
        let (group, slot) = (
            (number - 1) / superblock.inodes_per_group,
            (number - 1) % superblock.inodes_per_group,
        );
        let at = superblock.descriptor_offset(group)?;
        let descriptor = volume.reader.bytes(at, superblock.descriptor_bytes())?;
        let high = if descriptor.len() >= 64 {
            le::u32_at(&descriptor, 0x28)?
        } else {
            0
        };
        let table = joined(high, le::u32_at(&descriptor, 8)?);
        let inside = u64::from(slot) * u64::from(superblock.inode_bytes);
        let at = superblock.block_offset(table)?.checked_add(inside);
        let at = at.ok_or_else(|| corrupt("an inode lies beyond the volume"))?;
        let raw = volume
            .reader
            .bytes(at, usize::from(superblock.inode_bytes))?;
        Self::parse(volume, number, raw).map_err(|error| error.of(format!("inode {number}")))
    }

    fn parse(volume: &Volume, number: u32, raw: Vec<u8>) -> Result<Self, FileError> {
        let mode = le::u16_at(&raw, 0)?;
        if mode == 0 || le::u16_at(&raw, 0x1A)? == 0 {
            return Err(not_found("it stands for no file"));
        }
        let seed = volume.superblock.checksum_seed.map(|seed| {
            let seed = super::crc32c(seed, &number.to_le_bytes());
            super::crc32c(seed, raw.get(0x64..0x68).unwrap_or_default())
        });
        if let Some(seed) = seed {
            check_sum(&raw, seed)?;
        }
        let flags = le::u32_at(&raw, 0x20)?;
        // A folder's upper half once meant something else.
        let wide = mode & 0xF000 == 0x8000 || volume.superblock.has_large_folders();
        let high = if wide { le::u32_at(&raw, 0x6C)? } else { 0 };
        let block = part(&raw, 0x28, 60)?;
        let inode = Self {
            number,
            mode,
            size_bytes: joined(high, le::u32_at(&raw, 4)?),
            flags,
            block: block.try_into().map_err(|_| corrupt("it is short"))?,
            attribute_block: joined(u32::from(le::u16_at(&raw, 0x76)?), le::u32_at(&raw, 0x68)?),
            checksum_seed: seed,
            occupied: joined(u32::from(le::u16_at(&raw, 0x74)?), le::u32_at(&raw, 0x1C)?),
            raw,
        };
        if inode.size_bytes > i64::MAX.unsigned_abs() {
            return Err(corrupt("its size makes no sense"));
        }
        Ok(inode)
    }

    /// Returns what it says of itself.
    pub(super) fn node(&self) -> Result<Node, FileError> {
        let raw = &self.raw;
        let kind = mode::kind(self.mode);
        let half = |low, high| -> Result<u32, FileError> {
            Ok(u32::from(le::u16_at(raw, high)?) << 16 | u32::from(le::u16_at(raw, low)?))
        };
        let has_content = matches!(kind, crate::NodeKind::File | crate::NodeKind::Link);
        Ok(Node {
            id: NodeId {
                tree: 0,
                number: u64::from(self.number),
            },
            kind,
            size_bytes: if has_content { self.size_bytes } else { 0 },
            links: u32::from(le::u16_at(raw, 0x1A)?),
            times: Times {
                accessed: Some(self.time(0x8, Some(0x8C))?),
                changed: Some(self.time(0xC, Some(0x84))?),
                modified: Some(self.time(0x10, Some(0x88))?),
                created: match self.reaches(0x94) {
                    true => Some(self.time(0x90, Some(0x94))?),
                    false => None,
                },
            },
            owner: mode::owner(half(0x2, 0x78)?, half(0x18, 0x7A)?, self.mode),
        })
    }

    /// Returns what lies behind its fields, for attributes; nothing where it has no such room.
    pub(super) fn tail(&self) -> &[u8] {
        let extra = le::u16_at(&self.raw, FIRST_BYTES).unwrap_or(0);
        let start = FIRST_BYTES + usize::from(extra);
        self.raw.get(start..).unwrap_or_default()
    }

    /// Says whether a link's target is where other files have their pointers.
    pub(super) fn is_short_link(&self, cluster_bytes: u64) -> bool {
        let attributes = if self.attribute_block == 0 {
            0
        } else {
            cluster_bytes / 512
        };
        self.size_bytes < 60
            && self.flags & (EXTENTS | INLINE) == 0
            && (self.occupied == attributes || self.occupied == 0)
    }

    /// Refuses an encrypted file or folder.
    pub(super) fn refuse_encrypted(&self, what: &str) -> Result<(), FileError> {
        if self.flags & ENCRYPTED == 0 {
            return Ok(());
        }
        Err(unreadable(format!(
            "{what} encrypted by the guest (fscrypt), whose key is not in the volume"
        )))
    }

    /// Says whether it is the value of an attribute, which no folder names.
    pub(super) fn is_attribute_value(&self) -> bool {
        self.flags & VALUE_OF_ATTRIBUTE != 0
    }

    fn reaches(&self, field: usize) -> bool {
        let extra = le::u16_at(&self.raw, FIRST_BYTES).map_or(0, usize::from);
        field + 4 <= FIRST_BYTES + extra && field + 4 <= self.raw.len()
    }

    /// Two bits of the later word go on where 32 bits of seconds end, the others are nanoseconds.
    fn time(&self, field: usize, extra: Option<usize>) -> Result<Time, FileError> {
        let seconds = i64::from(le::i32_at(&self.raw, field)?);
        let extra = match extra.filter(|field| self.reaches(*field)) {
            Some(field) => le::u32_at(&self.raw, field)?,
            None => 0,
        };
        Ok(Time {
            seconds: seconds + (i64::from(extra & 3) << 32),
            nanoseconds: (extra >> 2).min(999_999_999),
        })
    }
}

/// The checksum's own two fields count as zeros.
fn check_sum(raw: &[u8], seed: u32) -> Result<(), FileError> {
    let (low, has_high) = (
        u32::from(le::u16_at(raw, 0x7C)?),
        raw.len() > FIRST_BYTES && le::u16_at(raw, FIRST_BYTES)? >= 4,
    );
    let mut bytes = raw.to_vec();
    let fields: &[usize] = if has_high { &[0x7C, 0x82] } else { &[0x7C] };
    for field in fields {
        if let Some(place) = bytes.get_mut(*field..field + 2) {
            place.fill(0);
        }
    }
    let found = super::crc32c(seed, &bytes);
    let (expected, mask) = if has_high {
        (u32::from(le::u16_at(raw, 0x82)?) << 16 | low, !0)
    } else {
        (low, 0xFFFF)
    };
    if (found ^ expected) & mask != 0 {
        return Err(corrupt("its checksum is another"));
    }
    Ok(())
}
