//! The boot sector.

use crate::fields::{u8_at, u16_at, u64_at};
use crate::malformed::{Malformed, Parsed, ensure};

/// What the boot sector says, in bytes and clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootSector {
    /// Size of a sector in bytes.
    pub sector_bytes: u64,
    /// Size of a cluster in bytes.
    pub cluster_bytes: u64,
    /// Size of the volume in bytes, without the sector of the backup boot sector behind it.
    pub size_bytes: u64,
    /// Whole clusters of it.
    pub clusters: u64,
    /// Size of a record of the file table in bytes.
    pub record_bytes: u64,
    /// Size of a block of a folder's index in bytes.
    pub index_bytes: u64,
    /// First cluster of the file table.
    pub table: u64,
    /// First cluster of the copy of the table's begin.
    pub table_mirror: u64,
    /// The volume's number.
    pub serial: u64,
}

impl BootSector {
    /// Reads the first 512 bytes of a volume of `volume_bytes`.
    ///
    /// # Errors
    ///
    /// Where its sizes make no sense, or lead out of the volume.
    pub fn parse(bytes: &[u8], volume_bytes: u64) -> Parsed<Self> {
        ensure(
            bytes.get(3..11) == Some(b"NTFS    "),
            "the volume does not begin like NTFS",
        )?;
        let sector_bytes = u64::from(u16_at(bytes, 11)?);
        ensure(
            matches!(sector_bytes, 512 | 1024 | 2048 | 4096),
            "the boot sector names no size of sectors",
        )?;
        let cluster_bytes = sector_bytes * cluster_sectors(u8_at(bytes, 13)?)?;
        ensure(cluster_bytes <= 2 << 20, "clusters are larger than any")?;
        let size_bytes = u64_at(bytes, 40)?
            .checked_mul(sector_bytes)
            .filter(|size| *size <= volume_bytes)
            .ok_or(Malformed::new("the volume is larger than its partition"))?;
        let boot = Self {
            sector_bytes,
            cluster_bytes,
            size_bytes,
            clusters: size_bytes / cluster_bytes,
            record_bytes: structure_bytes(u8_at(bytes, 64)?, cluster_bytes)?,
            index_bytes: structure_bytes(u8_at(bytes, 68)?, cluster_bytes)?,
            table: u64_at(bytes, 48)?,
            table_mirror: u64_at(bytes, 56)?,
            serial: u64_at(bytes, 72)?,
        };
        ensure(
            boot.table < boot.clusters && boot.table_mirror < boot.clusters && boot.table > 0,
            "the file table is outside of the volume",
        )?;
        Ok(boot)
    }
}

/// Sectors of a cluster: a number, or above 128 the negative of a power of two.
fn cluster_sectors(code: u8) -> Parsed<u64> {
    let sectors = match code {
        0..=128 => u64::from(code),
        _ => 1_u64
            .checked_shl(u32::from(code.wrapping_neg()))
            .unwrap_or(0),
    };
    // So that no product of it overflows.
    ensure(
        sectors.is_power_of_two() && sectors <= 1 << 20,
        "clusters have no size",
    )?;
    Ok(sectors)
}

/// The size of a record: clusters, or the negative of a power of two of bytes.
fn structure_bytes(code: u8, cluster_bytes: u64) -> Parsed<u64> {
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
