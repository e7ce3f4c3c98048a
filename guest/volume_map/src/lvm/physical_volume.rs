//! A physical volume: its label, its header and the newest metadata on it.

use block_io::{BlockDevice, DiskError};

use super::checksum::checksum;
use super::volume_group::VolumeGroup;
use crate::reader::{Reader, bytes_at, is_sum, u32_at, u64_at};

/// In how many sectors a label may be.
const LABEL_SECTORS: usize = 4;
const SECTOR_BYTES: usize = 512;
/// Most areas of each kind.
const AREAS_MAX: usize = 16;
/// What a metadata area's header takes, and where the ring begins.
const HEADER_BYTES: u64 = 512;
const AREA_MAGIC: &[u8; 16] = b" LVM2 x[5A%r0N*>";
/// Says that an area is not used.
const IGNORED: u32 = 1;
/// Most bytes of a metadata text; groups of thousands of volumes have one or two.
const TEXT_MAX_BYTES: u64 = 16 << 20;

/// A physical volume.
#[derive(Debug, Clone)]
pub(crate) struct PhysicalVolume {
    /// Its id, without hyphens.
    pub(crate) id: String,
    /// Its group as it is written here; `None`: it has no metadata, or none that is whole.
    pub(crate) group: Option<VolumeGroup>,
}

/// Reads a physical volume; `None` where its label is not whole.
pub(crate) fn physical_volume(
    device: &dyn BlockDevice,
) -> Result<Option<PhysicalVolume>, DiskError> {
    let reader = Reader::new(device);
    let first = reader.read(0, LABEL_SECTORS * SECTOR_BYTES)?;
    let mut sectors = first.chunks_exact(SECTOR_BYTES).zip(0_u64..);
    let Some(label) =
        sectors.find_map(|(sector, number)| is_label(sector, number).then_some(sector))
    else {
        return Ok(None);
    };
    let at = usize::try_from(u32_at(label, 20)).unwrap_or(usize::MAX);
    let Some(header) = label.get(at..).filter(|header| header.len() >= 40) else {
        return Ok(None);
    };
    let id = String::from_utf8_lossy(&bytes_at::<32>(header, 0)).into_owned();
    let mut group: Option<VolumeGroup> = None;
    for (offset, size_bytes) in metadata_areas(header) {
        let newer = newest_in(&reader, offset, size_bytes)?;
        if let Some(newer) = newer
            && group.as_ref().is_none_or(|known| known.seqno < newer.seqno)
        {
            group = Some(newer);
        }
    }
    Ok(Some(PhysicalVolume { id, group }))
}

/// A label names its own sector and type, and has a checksum from its offset field on.
fn is_label(sector: &[u8], number: u64) -> bool {
    sector.starts_with(b"LABELONE")
        && u64_at(sector, 8) == number
        && &bytes_at::<8>(sector, 24) == b"LVM2 001"
        && is_sum(
            checksum(sector.get(20..).unwrap_or(&[])),
            u32_at(sector, 16),
        )
}

/// Two lists of (offset, size) follow the header, each ended by zeros: data, then metadata.
fn metadata_areas(header: &[u8]) -> Vec<(u64, u64)> {
    let mut at = 40;
    let mut list = || {
        let mut areas = Vec::new();
        while areas.len() < AREAS_MAX {
            let area = (u64_at(header, at), u64_at(header, at + 8));
            at += 16;
            if area.0 == 0 {
                break;
            }
            areas.push(area);
        }
        areas
    };
    list();
    list()
}

/// Reads the text that an area's header calls the committed one.
fn newest_in(
    reader: &Reader<'_>,
    area: u64,
    area_bytes: u64,
) -> Result<Option<VolumeGroup>, DiskError> {
    let header = reader.read(area, SECTOR_BYTES)?;
    let is_whole = &bytes_at::<16>(&header, 4) == AREA_MAGIC
        && is_sum(checksum(header.get(4..).unwrap_or(&[])), u32_at(&header, 0))
        && u64_at(&header, 24) == area;
    if !is_whole {
        return Ok(None);
    }
    let (offset, len_bytes) = (u64_at(&header, 40), u64_at(&header, 48));
    let (sum, flags) = (u32_at(&header, 56), u32_at(&header, 60));
    let area_bytes = area_bytes.min(u64_at(&header, 32));
    let is_here = offset >= HEADER_BYTES && offset < area_bytes && flags & IGNORED == 0;
    if !is_here || len_bytes > area_bytes - HEADER_BYTES || len_bytes > TEXT_MAX_BYTES {
        return Ok(None);
    }
    // The text goes round: what does not fit before the end goes on behind the header.
    let before_end = len_bytes.min(area_bytes - offset);
    let mut text = read_long(reader, area.saturating_add(offset), before_end)?;
    let rest = len_bytes - before_end;
    text.extend(read_long(reader, area.saturating_add(HEADER_BYTES), rest)?);
    if !is_sum(checksum(&text), sum) {
        return Ok(None);
    }
    Ok(VolumeGroup::parse(&text))
}

/// Reads what may be longer than one read; as much as the device has.
fn read_long(reader: &Reader<'_>, offset: u64, len_bytes: u64) -> Result<Vec<u8>, DiskError> {
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < len_bytes {
        let rest = usize::try_from(len_bytes - bytes.len() as u64).unwrap_or(usize::MAX);
        let part = reader.read(offset.saturating_add(bytes.len() as u64), rest)?;
        if part.is_empty() {
            break;
        }
        bytes.extend(part);
    }
    Ok(bytes)
}
