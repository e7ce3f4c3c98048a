//! The header of dynamic and differencing disks.

use block_io::{DiskError, ImageFile};
use uuid::Uuid;

use crate::field::{bytes_at, checksum, put, u16_at, u32_at, u64_at};
use crate::footer::{NO_OFFSET, VERSION};
use crate::parent_locator::LocatorEntry;

pub(crate) const HEADER_BYTES: u64 = 1024;
const COOKIE: &[u8; 8] = b"cxsparse";
const CHECKSUM_AT: usize = 36;
const NAME_AT: usize = 64;
const NAME_UNITS: usize = 256;
const LOCATORS_AT: usize = 576;
const LOCATORS: usize = 8;
/// The paper allows any power of two. Windows uses 512 KiB and 2 MiB; below 4 KiB a block would
/// have less than a byte of bitmap, and above 256 MiB a bitmap would be a burden.
const BLOCK_BYTES: std::ops::RangeInclusive<u32> = 4096..=256 << 20;

/// The fields of a header whose checksum is right and whose sizes are sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DynamicHeader {
    pub(crate) table_offset: u64,
    pub(crate) table_entries: u32,
    pub(crate) block_bytes: u32,
    pub(crate) parent_unique_id: Uuid,
    pub(crate) parent_timestamp: u32,
    pub(crate) parent_name: String,
    pub(crate) locators: Vec<LocatorEntry>,
}

impl DynamicHeader {
    pub(crate) fn read(file: &dyn ImageFile, offset: u64) -> Result<Self, DiskError> {
        let mut bytes = [0; 1024];
        file.read_exact_at(offset, &mut bytes).map_err(|error| {
            DiskError::io(file.name(), "cannot read the dynamic header", error).at(offset)
        })?;
        Self::parse(&bytes, file.name(), offset)
    }

    fn parse(bytes: &[u8; 1024], file: &str, offset: u64) -> Result<Self, DiskError> {
        let corrupt = |at: u64, message: String| DiskError::corrupt(file, offset + at, message);
        if &bytes_at::<8>(bytes, 0) != COOKIE {
            return Err(corrupt(
                0,
                "there is no dynamic header, expected \"cxsparse\"".to_owned(),
            ));
        }
        let (found, expected) = (u32_at(bytes, CHECKSUM_AT), checksum(bytes, CHECKSUM_AT));
        if found != expected {
            return Err(corrupt(
                36,
                format!(
                    "the dynamic header has the checksum {found:#010x}, expected {expected:#010x}"
                ),
            ));
        }
        let version = u32_at(bytes, 24);
        if version >> 16 != 1 {
            return Err(DiskError::unsupported(
                file,
                format!("dynamic header version {version:#010x}, expected {VERSION:#010x}"),
            ));
        }
        let block_bytes = u32_at(bytes, 32);
        if !block_bytes.is_power_of_two() || !BLOCK_BYTES.contains(&block_bytes) {
            return Err(corrupt(
                32,
                format!(
                    "blocks of {block_bytes} bytes, expected a power of two from 4 KiB to 256 MiB"
                ),
            ));
        }
        let name: Vec<u16> = (0..NAME_UNITS)
            .map(|unit| u16_at(bytes, NAME_AT + 2 * unit))
            .take_while(|unit| *unit != 0)
            .collect();
        Ok(Self {
            table_offset: u64_at(bytes, 16),
            table_entries: u32_at(bytes, 28),
            block_bytes,
            parent_unique_id: Uuid::from_bytes(bytes_at(bytes, 40)),
            parent_timestamp: u32_at(bytes, 56),
            parent_name: String::from_utf16_lossy(&name),
            locators: (0..LOCATORS)
                .map(|slot| {
                    LocatorEntry::parse(&bytes_at(bytes, LOCATORS_AT + slot * LocatorEntry::BYTES))
                })
                .filter(|locator| !locator.is_empty())
                .collect(),
        })
    }

    /// Returns the 1024 bytes, with their checksum. A longer parent name or more locators than
    /// there is room for are cut off.
    pub(crate) fn to_bytes(&self) -> [u8; 1024] {
        let mut bytes = [0; 1024];
        put(&mut bytes, 0, COOKIE);
        put(&mut bytes, 8, &NO_OFFSET.to_be_bytes());
        put(&mut bytes, 16, &self.table_offset.to_be_bytes());
        put(&mut bytes, 24, &VERSION.to_be_bytes());
        put(&mut bytes, 28, &self.table_entries.to_be_bytes());
        put(&mut bytes, 32, &self.block_bytes.to_be_bytes());
        put(&mut bytes, 40, self.parent_unique_id.as_bytes());
        put(&mut bytes, 56, &self.parent_timestamp.to_be_bytes());
        for (slot, unit) in self
            .parent_name
            .encode_utf16()
            .take(NAME_UNITS - 1)
            .enumerate()
        {
            put(&mut bytes, NAME_AT + 2 * slot, &unit.to_be_bytes());
        }
        for (slot, locator) in self.locators.iter().take(LOCATORS).enumerate() {
            let at = LOCATORS_AT + slot * LocatorEntry::BYTES;
            put(&mut bytes, at, &locator.code);
            put(&mut bytes, at + 4, &locator.space.to_be_bytes());
            put(&mut bytes, at + 8, &locator.len_bytes.to_be_bytes());
            put(&mut bytes, at + 16, &locator.offset.to_be_bytes());
        }
        let sum = checksum(&bytes, CHECKSUM_AT);
        put(&mut bytes, CHECKSUM_AT, &sum.to_be_bytes());
        bytes
    }
}
