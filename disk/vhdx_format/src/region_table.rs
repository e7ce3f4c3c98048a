//! The region table: where the BAT and the metadata lie (MS-VHDX 2.2.3).

use block_io::DiskError;
use uuid::{Uuid, uuid};

use crate::field::{MIB, bytes_at, crc_without_field, guid_at, index, put, u32_at, u64_at};
use crate::header::Header;
use crate::replayed_file::ReplayedFile;

/// Where the two copies lie, in bytes.
pub(crate) const REGION_TABLE_OFFSETS: [u64; 2] = [192 << 10, 256 << 10];
/// Length of one copy, which its checksum covers, in bytes.
pub(crate) const REGION_TABLE_BYTES: u64 = 64 << 10;
const SIGNATURE: &[u8; 4] = b"regi";
const MAX_ENTRIES: u32 = 2047;
const HEADER_LEN: usize = 16;
const ENTRY_LEN: usize = 32;
const BAT: Uuid = uuid!("2DC27766-F623-4200-9D64-115E9BFD4A08");
const METADATA: Uuid = uuid!("8B7CA206-4790-4B9A-B8FE-575F050F886E");

/// One region of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) id: Uuid,
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) required: bool,
}

/// The table's content, all regions and the two that we need.
#[derive(Debug, Clone)]
pub(crate) struct RegionTable {
    pub(crate) regions: Vec<Region>,
    pub(crate) bat: Region,
    pub(crate) metadata: Region,
}

impl RegionTable {
    /// Reads the first good copy.
    pub(crate) fn read(file: &ReplayedFile, header: &Header) -> Result<Self, DiskError> {
        match Self::read_copy(file, header, REGION_TABLE_OFFSETS[0]) {
            Ok(table) => Ok(table),
            // The first copy's failure is the one worth showing.
            Err(first) => Self::read_copy(file, header, REGION_TABLE_OFFSETS[1]).map_err(|_| first),
        }
    }

    /// Reads and validates the copy at `offset`.
    pub(crate) fn read_copy(
        file: &ReplayedFile,
        header: &Header,
        offset: u64,
    ) -> Result<Self, DiskError> {
        let mut bytes = vec![0; index(REGION_TABLE_BYTES)];
        file.read(offset, &mut bytes)?;
        let wrong = |message: String| DiskError::corrupt(file.name(), offset, message);
        if bytes_at::<4>(&bytes, 0) != *SIGNATURE {
            return Err(wrong("the region table has no signature \"regi\"".into()));
        }
        if u32_at(&bytes, 4) != crc_without_field(&bytes, 4) {
            return Err(wrong("the region table's checksum is wrong".into()));
        }
        let count = u32_at(&bytes, 8);
        if count > MAX_ENTRIES {
            return Err(wrong(format!(
                "the region table claims {count} entries, at most {MAX_ENTRIES} fit"
            )));
        }
        let regions: Vec<Region> = bytes
            .get(HEADER_LEN..)
            .unwrap_or_default()
            .chunks_exact(ENTRY_LEN)
            .zip(0..count)
            .map(|(entry, _)| Region {
                id: guid_at(entry, 0),
                offset: u64_at(entry, 16),
                length: u64::from(u32_at(entry, 24)),
                required: u32_at(entry, 28) & 1 != 0,
            })
            .collect();
        check_places(&regions, header, file.size_bytes()).map_err(&wrong)?;
        let unknown = regions
            .iter()
            .find(|region| region.required && region.id != BAT && region.id != METADATA);
        if let Some(unknown) = unknown {
            return Err(DiskError::unsupported(
                file.name(),
                format!(
                    "the file needs a region that we do not know: {}",
                    unknown.id
                ),
            )
            .at(offset));
        }
        let find = |id, name| {
            regions
                .iter()
                .find(|region| region.id == id)
                .copied()
                .ok_or_else(|| wrong(format!("the region table names no {name}")))
        };
        Ok(Self {
            bat: find(BAT, "block allocation table")?,
            metadata: find(METADATA, "metadata")?,
            regions,
        })
    }
}

/// Every region on whole MiB, behind the headers, inside the file, and clear of all others.
fn check_places(regions: &[Region], header: &Header, file_bytes: u64) -> Result<(), String> {
    let mut places = vec![(
        header.log_offset,
        header.log_offset.saturating_add(header.log_length.into()),
        "the log".to_owned(),
    )];
    for region in regions {
        let Region {
            id, offset, length, ..
        } = *region;
        let end = offset.saturating_add(length);
        if offset < MIB || !offset.is_multiple_of(MIB) || length == 0 || !length.is_multiple_of(MIB)
        {
            return Err(format!(
                "region {id} of {length} bytes at {offset} does not lie on whole MiB"
            ));
        }
        if end > file_bytes {
            return Err(format!(
                "region {id} ends at {end}, behind the end of the file of {file_bytes} bytes"
            ));
        }
        places.push((offset, end, format!("region {id}")));
    }
    places.sort_unstable();
    for pair in places.windows(2) {
        if let [(_, first_end, first), (second_start, second_end, second)] = pair
            && first_end > second_start
            && second_end > second_start
        {
            return Err(format!("{first} and {second} overlap"));
        }
    }
    let mut ids: Vec<Uuid> = regions.iter().map(|region| region.id).collect();
    ids.sort_unstable();
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("region {} is named twice", pair[0])),
        None => Ok(()),
    }
}

/// Returns one copy of the table of a new file.
pub(crate) fn encode_region_table(bat: (u64, u32), metadata: (u64, u32)) -> Vec<u8> {
    let mut bytes = vec![0; index(REGION_TABLE_BYTES)];
    put(&mut bytes, 0, SIGNATURE);
    put(&mut bytes, 8, &2_u32.to_le_bytes());
    for (number, (id, (offset, length))) in [(BAT, bat), (METADATA, metadata)].iter().enumerate() {
        let at = HEADER_LEN + number * ENTRY_LEN;
        put(&mut bytes, at, &id.to_bytes_le());
        put(&mut bytes, at + 16, &offset.to_le_bytes());
        put(&mut bytes, at + 24, &length.to_le_bytes());
        put(&mut bytes, at + 28, &1_u32.to_le_bytes());
    }
    let crc = crc_without_field(&bytes, 4);
    put(&mut bytes, 4, &crc.to_le_bytes());
    bytes
}
