//! What a volume is, by its first bytes.

use serde::{Deserialize, Serialize};

use crate::reader::{bytes_at, u16_at, u32_at};

/// What a volume is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the file systems' own")]
pub enum Content {
    Ntfs,
    Refs,
    Fat12,
    Fat16,
    Fat32,
    ExFat,
    BitLocker,
    Ext,
    Xfs,
    Btrfs,
    Lvm,
    Luks,
    Swap,
    Bcache,
    Zfs,
    Vmfs,
    Apfs,
    Iso9660,
    SquashFs,
    StorageSpaces,
    /// A member of a Linux software array (md).
    MdMember,
    /// None of these.
    Unknown,
}

impl Content {
    /// Returns what people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ntfs => "NTFS",
            Self::Refs => "ReFS",
            Self::Fat12 => "FAT12",
            Self::Fat16 => "FAT16",
            Self::Fat32 => "FAT32",
            Self::ExFat => "exFAT",
            Self::BitLocker => "BitLocker",
            Self::Ext => "ext",
            Self::Xfs => "XFS",
            Self::Btrfs => "Btrfs",
            Self::Lvm => "LVM",
            Self::Luks => "LUKS",
            Self::Swap => "swap",
            Self::Bcache => "bcache",
            Self::Zfs => "ZFS",
            Self::Vmfs => "VMFS",
            Self::Apfs => "APFS",
            Self::Iso9660 => "ISO 9660",
            Self::SquashFs => "SquashFS",
            Self::StorageSpaces => "Storage Spaces",
            Self::MdMember => "Linux software RAID",
            Self::Unknown => "unknown",
        }
    }

    /// Returns whether it is one of FAT's kind, of which VSS makes no snapshots.
    pub fn is_fat(self) -> bool {
        matches!(self, Self::Fat12 | Self::Fat16 | Self::Fat32 | Self::ExFat)
    }
}

/// Where in a volume Btrfs says that it is one.
pub(crate) const BTRFS_MAGIC_OFFSET: u64 = 0x1_0040;
pub(crate) const BTRFS_MAGIC: &[u8] = b"_BHRfS_M";

/// BitLocker's GUID 4967d63b-2e29-4ad8-8399-f6a339e3d001, as it is stored.
const BITLOCKER_TO_GO: [u8; 16] = [
    0x3B, 0xD6, 0x67, 0x49, 0x29, 0x2E, 0xD8, 0x4A, 0x83, 0x99, 0xF6, 0xA3, 0x39, 0xE3, 0xD0, 0x01,
];

/// Looks at the first 4 KiB of a volume.
pub(crate) fn of(bytes: &[u8]) -> Content {
    match &bytes_at::<8>(bytes, 3) {
        b"NTFS    " => return Content::Ntfs,
        b"EXFAT   " => return Content::ExFat,
        b"ReFS\0\0\0\0" => return Content::Refs,
        b"-FVE-FS-" => return Content::BitLocker,
        // What BitLocker makes of FAT on a stick: a boot sector of FAT with its own mark in it.
        b"MSWIN4.1" if bytes_at(bytes, 424) == BITLOCKER_TO_GO => return Content::BitLocker,
        _ => {}
    }
    if bytes.starts_with(b"XFSB") {
        return Content::Xfs;
    }
    if bytes.starts_with(b"LUKS\xba\xbe") {
        return Content::Luks;
    }
    if u16_at(bytes, 1024 + 56) == 0xEF53 && bytes.len() > 2048 {
        return Content::Ext;
    }
    // The label of a physical volume is in one of the first four sectors.
    if (0..4).any(|sector| &bytes_at::<8>(bytes, sector * 512) == b"LABELONE") {
        return Content::Lvm;
    }
    if &bytes_at::<10>(bytes, 4086) == b"SWAPSPACE2" {
        return Content::Swap;
    }
    fat(bytes).unwrap_or(Content::Unknown)
}

/// Which FAT it is depends on the number of clusters and on nothing else (FAT specification §3.5).
/// What its fields say has to make sense all the same, since other boot sectors look alike.
fn fat(bytes: &[u8]) -> Option<Content> {
    let [jump, _, third] = bytes_at::<3>(bytes, 0);
    let is_jump = jump == 0xE9 || (jump == 0xEB && third == 0x90);
    let sector_bytes = u32::from(u16_at(bytes, 11));
    let [cluster_sectors] = bytes_at::<1>(bytes, 13);
    let reserved = u32::from(u16_at(bytes, 14));
    let [tables] = bytes_at::<1>(bytes, 16);
    let [media] = bytes_at::<1>(bytes, 21);
    let makes_sense = is_jump
        && u16_at(bytes, 510) == 0xAA55
        && matches!(sector_bytes, 512 | 1024 | 2048 | 4096)
        && cluster_sectors.is_power_of_two()
        && reserved > 0
        && matches!(tables, 1 | 2)
        && (media == 0xF0 || media >= 0xF8);
    if !makes_sense {
        return None;
    }
    let root_entries = u32::from(u16_at(bytes, 17));
    let either = |short: u16, long: u32| match short {
        0 => long,
        short => u32::from(short),
    };
    let table_sectors = either(u16_at(bytes, 22), u32_at(bytes, 36));
    let sectors = either(u16_at(bytes, 19), u32_at(bytes, 32));
    let root_sectors = (root_entries * 32).div_ceil(sector_bytes);
    let data = sectors
        .checked_sub(reserved)?
        .checked_sub(u32::from(tables).checked_mul(table_sectors)?)?
        .checked_sub(root_sectors)?;
    Some(match data / u32::from(cluster_sectors) {
        0..4085 => Content::Fat12,
        4085..65_525 => Content::Fat16,
        _ => Content::Fat32,
    })
}
