//! The boot region of exFAT (Microsoft's exFAT specification, section 3).

use crate::cluster_file::ClusterArea;
use crate::volume::Volume;
use crate::{FileError, FileErrorKind};

const VOLUME_IS_DIRTY: u16 = 2;
/// Sectors that the sum is of; the one behind them holds it, and the backup follows that.
const SUMMED_SECTORS: u64 = 11;

/// What the boot sector says, in bytes.
#[derive(Debug, Clone)]
pub(super) struct BootSector {
    pub(super) size_bytes: u64,
    /// Where the table that is in use begins.
    pub(super) table_offset: u64,
    pub(super) area: ClusterArea,
    pub(super) root: u32,
    pub(super) serial: u32,
    pub(super) is_dirty: bool,
}

impl BootSector {
    /// Reads the boot sector; where its sum is wrong, the backup of it.
    pub(super) fn read(volume: &Volume) -> Result<Self, FileError> {
        let main = volume.bytes(0, 512)?;
        let shift = main.get(108).copied().unwrap_or(0);
        // Where the first sector is broken the backup's place is not known: disks have 512 or 4096.
        let shifts = if matches!(shift, 9..=12) {
            vec![shift]
        } else {
            vec![9, 12]
        };
        let mut wrong = None;
        for shift in shifts {
            for first in [0, SUMMED_SECTORS + 1] {
                match Self::region(volume, first << shift, shift) {
                    Ok(boot) => return Ok(boot),
                    Err(error) => wrong = wrong.or(Some(error)),
                }
            }
        }
        Err(wrong.unwrap_or_else(|| corrupt("there is no boot sector")))
    }

    fn region(volume: &Volume, offset: u64, shift: u8) -> Result<Self, FileError> {
        let sector_bytes = 1 << shift;
        let len = usize::try_from((SUMMED_SECTORS + 1) * sector_bytes).unwrap_or(0);
        let bytes = volume.bytes(offset, len)?;
        let (summed, sums) = bytes.split_at(len / 12 * 11);
        let mut sum = 0_u32;
        for (at, byte) in summed.iter().enumerate() {
            // What changes while the volume is in use.
            if !matches!(at, 106 | 107 | 112) {
                sum = sum.rotate_right(1).wrapping_add(u32::from(*byte));
            }
        }
        if !sums.starts_with(&sum.to_le_bytes()) {
            return Err(corrupt("the boot sector's sum is another"));
        }
        Self::parse(&bytes, shift, volume.size_bytes())
    }

    fn parse(bytes: &[u8], shift: u8, volume_bytes: u64) -> Result<Self, FileError> {
        let u32_at = |at: usize| u32::from_le_bytes(array(bytes, at));
        let [cluster_shift, tables] = [array::<1>(bytes, 109)[0], array::<1>(bytes, 110)[0]];
        let flags = u16::from_le_bytes(array(bytes, 106));
        let makes_sense = array(bytes, 3) == *b"EXFAT   "
            && array(bytes, 108) == [shift]
            && cluster_shift <= 25 - shift
            && matches!(tables, 1 | 2);
        if !makes_sense {
            return Err(corrupt("the boot sector makes no sense"));
        }
        let [minor, major] = array(bytes, 104);
        if major != 1 {
            let what = format!("there is no reader for exFAT of version {major}.{minor:02}");
            return Err(FileError::new(FileErrorKind::Unreadable, what));
        }
        let sector_bytes = 1_u64 << shift;
        let in_bytes = |sectors: u32| u64::from(sectors) * sector_bytes;
        let size_bytes = u64::from_le_bytes(array(bytes, 72)).checked_mul(sector_bytes);
        let size_bytes = size_bytes
            .filter(|size| *size <= volume_bytes)
            .ok_or_else(|| corrupt("the volume is larger than its partition"))?;
        let table_bytes = in_bytes(u32_at(84));
        let second = flags & 1 == 1 && tables == 2;
        let area = ClusterArea {
            offset: in_bytes(u32_at(88)),
            cluster_bytes: sector_bytes << cluster_shift,
            clusters: u32_at(92),
        };
        let needed = u64::from(area.clusters).saturating_add(2).saturating_mul(4);
        let end = u64::from(area.clusters).saturating_mul(area.cluster_bytes);
        let fits = area.offset.saturating_add(end) <= size_bytes && needed <= table_bytes;
        if !fits || area.clusters > u32::MAX - 11 {
            return Err(corrupt("the clusters leave the volume"));
        }
        Ok(Self {
            size_bytes,
            table_offset: in_bytes(u32_at(80)) + if second { table_bytes } else { 0 },
            area,
            root: u32_at(96),
            serial: u32_at(100),
            is_dirty: flags & VOLUME_IS_DIRTY != 0,
        })
    }
}

/// Returns bytes of a sector, all of whose fields are inside of it.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk());
    found.copied().unwrap_or([0; N])
}

fn corrupt(what: &str) -> FileError {
    FileError::new(FileErrorKind::Corrupt, what)
}
