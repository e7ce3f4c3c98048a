//! The boot sector of FAT (Microsoft's FAT specification, section 3).

use crate::cluster_file::ClusterArea;
use crate::{FileError, FileErrorKind};

/// Which of the three it is: what entries of its table are long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    Fat12,
    Fat16,
    Fat32,
}

/// What the boot sector says, in bytes.
#[derive(Debug, Clone)]
pub(super) struct BootSector {
    pub(super) width: Width,
    pub(super) size_bytes: u64,
    /// Where the table that is in use begins.
    pub(super) table_offset: u64,
    pub(super) area: ClusterArea,
    pub(super) root: Root,
    pub(super) serial: u32,
    /// As it was made; empty where it says so.
    pub(super) label: [u8; 11],
    /// Windows' own mark for a volume that is in use.
    pub(super) is_marked_dirty: bool,
}

/// Where the top folder is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Root {
    /// In a place of its own.
    Region { offset: u64, len_bytes: u64 },
    /// In clusters, from this one on.
    Chain(u32),
}

impl BootSector {
    pub(super) fn parse(bytes: &[u8; 512], volume_bytes: u64) -> Result<Self, FileError> {
        let u16_at = |at: usize| u16::from_le_bytes(array(bytes, at));
        let u32_at = |at: usize| u32::from_le_bytes(array(bytes, at));
        let sector_bytes = u64::from(u16_at(11));
        let [cluster_sectors] = array(bytes, 13);
        let [tables] = array(bytes, 16);
        let either = |short: u16, long: u32| match short {
            0 => u64::from(long),
            short => u64::from(short),
        };
        let sectors = either(u16_at(19), u32_at(32));
        let table_sectors = either(u16_at(22), u32_at(36));
        let reserved = u64::from(u16_at(14));
        let makes_sense = matches!(sector_bytes, 512 | 1024 | 2048 | 4096)
            && cluster_sectors.is_power_of_two()
            && reserved > 0
            && tables > 0
            && table_sectors > 0;
        if !makes_sense {
            return Err(corrupt("the boot sector makes no sense"));
        }
        let size_bytes = sectors * sector_bytes;
        if size_bytes > volume_bytes {
            return Err(corrupt("the volume is larger than its partition"));
        }
        let root_bytes = u64::from(u16_at(17)) * 32;
        let root_offset = (reserved + u64::from(tables) * table_sectors) * sector_bytes;
        let data_offset = root_offset + root_bytes.next_multiple_of(sector_bytes);
        let cluster_bytes = sector_bytes * u64::from(cluster_sectors);
        let clusters = size_bytes
            .checked_sub(data_offset)
            .ok_or_else(|| corrupt("the volume is shorter than its tables"))?
            / cluster_bytes;
        // As Windows and Linux tell them apart: by a field that FAT32 alone has elsewhere.
        let width = match (u16_at(22), clusters) {
            (0, _) => Width::Fat32,
            (_, 0..4085) => Width::Fat12,
            _ => Width::Fat16,
        };
        let extended = if width == Width::Fat32 { 64 } else { 36 };
        let flags = u16_at(40);
        let table = match width {
            // One table is in use, and the others are not kept equal.
            Width::Fat32 if flags & 0x80 != 0 => u64::from(flags & 15),
            _ => 0,
        };
        if table >= u64::from(tables) {
            return Err(corrupt("a table is in use that is not there"));
        }
        if width == Width::Fat32 && u16_at(42) != 0 {
            let what = format!(
                "there is no reader for FAT32 of version {:#06x}",
                u16_at(42)
            );
            return Err(FileError::new(FileErrorKind::Unreadable, what));
        }
        let [flags] = array(bytes, extended + 1);
        let [signature] = array(bytes, extended + 2);
        let is_extended = matches!(signature, 0x28 | 0x29);
        Ok(Self {
            width,
            size_bytes,
            table_offset: (reserved + table * table_sectors) * sector_bytes,
            area: ClusterArea {
                offset: data_offset,
                cluster_bytes,
                // As many as the table has entries for.
                clusters: u32::try_from(clusters).unwrap_or(u32::MAX).min(
                    width
                        .entries(table_sectors * sector_bytes)
                        .saturating_sub(2),
                ),
            },
            root: match width {
                Width::Fat32 => Root::Chain(u32_at(44)),
                _ => Root::Region {
                    offset: root_offset,
                    len_bytes: root_bytes,
                },
            },
            serial: if is_extended { u32_at(extended + 3) } else { 0 },
            label: if signature == 0x29 {
                array(bytes, extended + 7)
            } else {
                [b' '; 11]
            },
            is_marked_dirty: is_extended && flags & 1 != 0,
        })
    }
}

impl Width {
    /// Returns how many entries a table of so many bytes has, at most 2^28.
    fn entries(self, bytes: u64) -> u32 {
        let entries = match self {
            Self::Fat12 => bytes.saturating_mul(2) / 3,
            Self::Fat16 => bytes / 2,
            Self::Fat32 => bytes / 4,
        };
        u32::try_from(entries.min(1 << 28)).unwrap_or(0)
    }
}

/// Returns bytes of a sector, all of whose fields are inside of it.
fn array<const N: usize>(bytes: &[u8; 512], at: usize) -> [u8; N] {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk());
    found.copied().unwrap_or([0; N])
}

fn corrupt(what: &str) -> FileError {
    FileError::new(FileErrorKind::Corrupt, what)
}
