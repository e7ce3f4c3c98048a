//! One log entry: a header, descriptors, and a data sector for each data descriptor
//! (MS-VHDX 2.3.1).

use block_io::DiskError;
use uuid::Uuid;

use super::Ring;
use crate::field::{
    SECTOR_BYTES, SECTOR_LEN, Sector, bytes_at, crc_without_field, guid_at, index, put, u32_at,
    u64_at,
};
use crate::replayed_file::ReplayedFile;

const ENTRY: &[u8; 4] = b"loge";
const DATA_DESCRIPTOR: &[u8; 4] = b"desc";
const ZERO_DESCRIPTOR: &[u8; 4] = b"zero";
const DATA_SECTOR: &[u8; 4] = b"data";
const HEADER_LEN: u64 = 64;
const DESCRIPTOR_LEN: usize = 32;
const DESCRIPTOR_BYTES: u64 = 32;

/// One valid entry, without its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogEntry {
    /// Where it starts in the ring, in bytes.
    pub(crate) position: u64,
    /// Length in bytes, a multiple of 4 KiB.
    pub(crate) length: u64,
    /// Where the oldest entry starts that was still needed when this one was written.
    pub(crate) tail: u64,
    pub(crate) sequence_number: u64,
    pub(crate) descriptor_count: u32,
    /// The file had at least this length, in bytes, when this entry was written.
    pub(crate) flushed_file_offset: u64,
    /// The file needs this length, in bytes, once this entry is applied.
    pub(crate) last_file_offset: u64,
}

/// What one descriptor asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Descriptor {
    /// One sector goes to `file_offset`; the log keeps its first 8 and last 4 bytes here.
    Data {
        file_offset: u64,
        leading: [u8; 8],
        trailing: [u8; 4],
    },
    /// A range becomes zero.
    Zero { file_offset: u64, len_bytes: u64 },
}

impl Descriptor {
    fn parse(bytes: &[u8], sequence_number: u64) -> Option<Self> {
        if u64_at(bytes, 24) != sequence_number {
            return None;
        }
        let file_offset = u64_at(bytes, 16);
        match &bytes_at::<4>(bytes, 0) {
            DATA_DESCRIPTOR => Some(Self::Data {
                file_offset,
                leading: bytes_at(bytes, 8),
                trailing: bytes_at(bytes, 4),
            }),
            ZERO_DESCRIPTOR => Some(Self::Zero {
                file_offset,
                len_bytes: u64_at(bytes, 8),
            }),
            _ => None,
        }
    }

    fn encode(&self, sequence_number: u64) -> [u8; DESCRIPTOR_LEN] {
        let mut bytes = [0; DESCRIPTOR_LEN];
        match self {
            Self::Data {
                file_offset,
                leading,
                trailing,
            } => {
                put(&mut bytes, 0, DATA_DESCRIPTOR);
                put(&mut bytes, 4, trailing);
                put(&mut bytes, 8, leading);
                put(&mut bytes, 16, &file_offset.to_le_bytes());
            }
            Self::Zero {
                file_offset,
                len_bytes,
            } => {
                put(&mut bytes, 0, ZERO_DESCRIPTOR);
                put(&mut bytes, 8, &len_bytes.to_le_bytes());
                put(&mut bytes, 16, &file_offset.to_le_bytes());
            }
        }
        put(&mut bytes, 24, &sequence_number.to_le_bytes());
        bytes
    }
}

/// Returns how many sectors the header and `count` descriptors fill.
fn descriptor_sectors(count: u64) -> u64 {
    (HEADER_LEN + count * DESCRIPTOR_BYTES).div_ceil(SECTOR_BYTES)
}

impl LogEntry {
    /// Reads the entry at `position` of the ring; `None` where there is no valid one of `guid`.
    ///
    /// The sectors are checked in order, so a walk ends where another entry begins: the work of
    /// looking at every position of the ring stays linear, whatever the lengths claim.
    pub(crate) fn read(
        file: &ReplayedFile,
        ring: Ring,
        position: u64,
        guid: Uuid,
    ) -> Result<Option<Self>, DiskError> {
        let mut sector = ring.sector(file, position)?;
        let Some(entry) = Self::parse_header(&sector, ring, position, guid) else {
            return Ok(None);
        };
        let declared_crc = u32_at(&sector, 4);
        let mut crc = crc_without_field(&sector, 4);
        let Some(mut data_sectors) = entry.count_data(&sector, 0) else {
            return Ok(None);
        };
        let first_data = descriptor_sectors(u64::from(entry.descriptor_count));
        for number in 1..entry.length / SECTOR_BYTES {
            sector = ring.sector(file, position + number * SECTOR_BYTES)?;
            if bytes_at::<4>(&sector, 0) == *ENTRY {
                return Ok(None);
            }
            if number < first_data {
                let Some(more) = entry.count_data(&sector, number) else {
                    return Ok(None);
                };
                data_sectors += more;
            } else if number < first_data + data_sectors && !entry.owns_data(&sector) {
                return Ok(None);
            }
            crc = crc32c::crc32c_append(crc, &sector);
        }
        let complete = (first_data + data_sectors) * SECTOR_BYTES <= entry.length;
        Ok((complete && crc == declared_crc).then_some(entry))
    }

    fn parse_header(sector: &Sector, ring: Ring, position: u64, guid: Uuid) -> Option<Self> {
        let entry = Self {
            position,
            length: u64::from(u32_at(sector, 8)),
            tail: u64::from(u32_at(sector, 12)),
            sequence_number: u64_at(sector, 16),
            descriptor_count: u32_at(sector, 24),
            flushed_file_offset: u64_at(sector, 48),
            last_file_offset: u64_at(sector, 56),
        };
        let described = descriptor_sectors(u64::from(entry.descriptor_count)) * SECTOR_BYTES;
        let valid = bytes_at::<4>(sector, 0) == *ENTRY
            && guid_at(sector, 32) == guid
            && entry.sequence_number > 0
            && entry.length.is_multiple_of(SECTOR_BYTES)
            && entry.length <= ring.length
            && entry.length >= described
            && entry.tail.is_multiple_of(SECTOR_BYTES)
            && entry.tail < ring.length;
        valid.then_some(entry)
    }

    /// Returns the descriptors in the `number`-th sector; `None` where one is invalid.
    fn parse_descriptors(&self, sector: &Sector, number: u64) -> Option<Vec<Descriptor>> {
        let per_sector = SECTOR_BYTES / DESCRIPTOR_BYTES;
        let header_slots = HEADER_LEN / DESCRIPTOR_BYTES;
        // The header takes the first slots of sector 0.
        let (first_slot, before) = if number == 0 {
            (header_slots, 0)
        } else {
            (0, number * per_sector - header_slots)
        };
        let left = u64::from(self.descriptor_count).saturating_sub(before);
        let slots = left.min(per_sector - first_slot);
        sector
            .chunks_exact(DESCRIPTOR_LEN)
            .skip(index(first_slot))
            .take(index(slots))
            .map(|bytes| Descriptor::parse(bytes, self.sequence_number))
            .collect()
    }

    fn count_data(&self, sector: &Sector, number: u64) -> Option<u64> {
        let descriptors = self.parse_descriptors(sector, number)?;
        let data = descriptors
            .iter()
            .filter(|descriptor| matches!(descriptor, Descriptor::Data { .. }));
        Some(data.count() as u64)
    }

    fn owns_data(&self, sector: &Sector) -> bool {
        let high = u64::from(u32_at(sector, 4));
        let low = u64::from(u32_at(sector, SECTOR_LEN - 4));
        bytes_at::<4>(sector, 0) == *DATA_SECTOR && (high << 32 | low) == self.sequence_number
    }

    /// Calls `each` with every descriptor and, for data, the file offset of its data sector.
    pub(crate) fn for_each(
        &self,
        file: &ReplayedFile,
        ring: Ring,
        mut each: impl FnMut(Descriptor, u64) -> Result<(), DiskError>,
    ) -> Result<(), DiskError> {
        let first_data = descriptor_sectors(u64::from(self.descriptor_count));
        let mut data_number = first_data;
        for number in 0..first_data {
            let sector = ring.sector(file, self.position + number * SECTOR_BYTES)?;
            for descriptor in self.parse_descriptors(&sector, number).unwrap_or_default() {
                let source = ring.file_offset(self.position + data_number * SECTOR_BYTES);
                if matches!(descriptor, Descriptor::Data { .. }) {
                    data_number += 1;
                }
                each(descriptor, source)?;
            }
        }
        Ok(())
    }
}

/// Builds an entry that writes whole sectors. Its tail is its own `position`: everything older has
/// been applied.
pub(crate) fn encode_entry(
    guid: Uuid,
    sequence_number: u64,
    position: u64,
    file_bytes: u64,
    sectors: &[(u64, &Sector)],
) -> Vec<u8> {
    let first_data = index(descriptor_sectors(sectors.len() as u64)) * SECTOR_LEN;
    let mut bytes = vec![0; first_data + sectors.len() * SECTOR_LEN];
    // A log has at most 4 GiB and an entry at most half of it, so both fit.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let tail = u32::try_from(position).unwrap_or(u32::MAX);
    let count = u32::try_from(sectors.len()).unwrap_or(u32::MAX);
    put(&mut bytes, 0, ENTRY);
    put(&mut bytes, 8, &length.to_le_bytes());
    put(&mut bytes, 12, &tail.to_le_bytes());
    put(&mut bytes, 16, &sequence_number.to_le_bytes());
    put(&mut bytes, 24, &count.to_le_bytes());
    put(&mut bytes, 32, &guid.to_bytes_le());
    put(&mut bytes, 48, &file_bytes.to_le_bytes());
    put(&mut bytes, 56, &file_bytes.to_le_bytes());
    for (number, (file_offset, content)) in sectors.iter().enumerate() {
        let descriptor = Descriptor::Data {
            file_offset: *file_offset,
            leading: bytes_at(*content, 0),
            trailing: bytes_at(*content, SECTOR_LEN - 4),
        };
        let at = index(HEADER_LEN) + number * DESCRIPTOR_LEN;
        put(&mut bytes, at, &descriptor.encode(sequence_number));
        let at = first_data + number * SECTOR_LEN;
        put(&mut bytes, at, *content);
        put(&mut bytes, at, DATA_SECTOR);
        let sequence = sequence_number.to_le_bytes();
        put(&mut bytes, at + 4, &sequence[4..]);
        put(&mut bytes, at + SECTOR_LEN - 4, &sequence[..4]);
    }
    let crc = crc_without_field(&bytes, 4);
    put(&mut bytes, 4, &crc.to_le_bytes());
    bytes
}
