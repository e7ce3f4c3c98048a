//! The boot sector.

use crate::fields::{le, u8_at};
use crate::refusal::{Read, ensure};
use crate::volume::Volume;

/// What the boot sector says, in bytes and clusters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BootSector {
    pub(crate) cluster_bytes: u64,
    /// Whole clusters; the backup boot sector lies behind them.
    pub(crate) clusters: u64,
    pub(crate) record_bytes: u64,
    pub(crate) index_bytes: u64,
    /// First cluster of the file table, and of the copy of its begin.
    pub(crate) table: u64,
    pub(crate) table_mirror: u64,
}

impl BootSector {
    pub(crate) fn read(volume: &Volume<'_>) -> Read<Self> {
        let bytes = volume.read(0, 512)?;
        let sector_bytes = u64::from(le::u16_at(&bytes, 11)?);
        ensure(
            matches!(sector_bytes, 512 | 1024 | 2048 | 4096),
            "the boot sector names no size of sectors",
        )?;
        let cluster_bytes = sector_bytes * cluster_sectors(u8_at(&bytes, 13)?)?;
        ensure(cluster_bytes <= 2 << 20, "clusters are larger than any")?;
        let sectors = le::u64_at(&bytes, 40)?;
        let fits = sectors
            .checked_mul(sector_bytes)
            .is_some_and(|len| len <= volume.len_bytes);
        ensure(fits, "the volume is larger than its partition")?;
        let boot = Self {
            cluster_bytes,
            clusters: sectors * sector_bytes / cluster_bytes,
            record_bytes: structure_bytes(u8_at(&bytes, 64)?, cluster_bytes)?,
            index_bytes: structure_bytes(u8_at(&bytes, 68)?, cluster_bytes)?,
            table: le::u64_at(&bytes, 48)?,
            table_mirror: le::u64_at(&bytes, 56)?,
        };
        ensure(
            boot.table < boot.clusters && boot.table_mirror < boot.clusters && boot.table > 0,
            "the file table is outside of the volume",
        )?;
        Ok(boot)
    }
}

/// Sectors of a cluster: a number, or above 128 the negative of a power of two.
fn cluster_sectors(code: u8) -> Read<u64> {
    let sectors = match code {
        0..=128 => u64::from(code),
        _ => 1_u64
            .checked_shl(u32::from(code.wrapping_neg()))
            .unwrap_or(0),
    };
    ensure(sectors.is_power_of_two(), "clusters have no size")?;
    Ok(sectors)
}

/// The size of a record: clusters, or the negative of a power of two of bytes.
fn structure_bytes(code: u8, cluster_bytes: u64) -> Read<u64> {
    let bytes = match code {
        0..=127 => u64::from(code) * cluster_bytes,
        _ => 1_u64
            .checked_shl(u32::from(code.wrapping_neg()))
            .unwrap_or(0),
    };
    ensure(
        bytes.is_power_of_two() && (512..=64 << 10).contains(&bytes),
        "records have no size that makes sense",
    )?;
    Ok(bytes)
}
