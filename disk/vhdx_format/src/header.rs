//! The file identifier and the two headers (MS-VHDX 2.2.1, 2.2.2).

use block_io::{DiskError, DiskErrorKind};
use uuid::Uuid;

use crate::field::{
    MAX_FILE_BYTES, MIB, SECTOR_LEN, bytes_at, crc_without_field, guid_at, put, u16_at, u32_at,
    u64_at,
};
use crate::replayed_file::ReplayedFile;

/// Where the two copies lie, in bytes.
pub(crate) const HEADER_OFFSETS: [u64; 2] = [64 << 10, 128 << 10];
/// First byte that the log may change: the headers and the identifier are never logged.
pub(crate) const FIRST_LOGGABLE: u64 = 192 << 10;
/// Longest log that we read, in bytes. Windows writes 1 MiB.
const MAX_LOG_BYTES: u32 = 1 << 30;
const IDENTIFIER: &[u8; 8] = b"vhdxfile";
const SIGNATURE: &[u8; 4] = b"head";
const CREATOR_UNITS: usize = 256;

/// One header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) sequence_number: u64,
    pub(crate) file_write_guid: Uuid,
    pub(crate) data_write_guid: Uuid,
    /// Nil: the log is empty.
    pub(crate) log_guid: Uuid,
    pub(crate) log_version: u16,
    pub(crate) log_length: u32,
    pub(crate) log_offset: u64,
}

impl Header {
    /// Reads one copy. `Err` says what is wrong with it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        if bytes_at::<4>(bytes, 0) != *SIGNATURE {
            return Err("the signature \"head\" is missing");
        }
        if u32_at(bytes, 4) != crc_without_field(bytes, 4) {
            return Err("the checksum is wrong");
        }
        if u16_at(bytes, 66) != 1 {
            return Err("the format version is not 1");
        }
        Ok(Self {
            sequence_number: u64_at(bytes, 8),
            file_write_guid: guid_at(bytes, 16),
            data_write_guid: guid_at(bytes, 32),
            log_guid: guid_at(bytes, 48),
            log_version: u16_at(bytes, 64),
            log_length: u32_at(bytes, 68),
            log_offset: u64_at(bytes, 72),
        })
    }

    /// Returns the 4 KiB that stand in the file.
    pub(crate) fn encode(&self) -> [u8; SECTOR_LEN] {
        let mut bytes = [0; SECTOR_LEN];
        put(&mut bytes, 0, SIGNATURE);
        put(&mut bytes, 8, &self.sequence_number.to_le_bytes());
        put(&mut bytes, 16, &self.file_write_guid.to_bytes_le());
        put(&mut bytes, 32, &self.data_write_guid.to_bytes_le());
        put(&mut bytes, 48, &self.log_guid.to_bytes_le());
        put(&mut bytes, 64, &self.log_version.to_le_bytes());
        put(&mut bytes, 66, &1_u16.to_le_bytes());
        put(&mut bytes, 68, &self.log_length.to_le_bytes());
        put(&mut bytes, 72, &self.log_offset.to_le_bytes());
        let crc = crc_without_field(&bytes, 4);
        put(&mut bytes, 4, &crc.to_le_bytes());
        bytes
    }

    /// Refuses a log that cannot be where the header says.
    pub(crate) fn check_log(&self, name: &str, at: u64, file_bytes: u64) -> Result<(), DiskError> {
        if !self.log_guid.is_nil() && self.log_version != 0 {
            return Err(DiskError::unsupported(
                name,
                format!(
                    "the log has version {}, we know version 0",
                    self.log_version
                ),
            )
            .at(at));
        }
        if self.log_length == 0 && self.log_guid.is_nil() {
            return Ok(());
        }
        let length = u64::from(self.log_length);
        if length > u64::from(MAX_LOG_BYTES) {
            return Err(DiskError::unsupported(
                name,
                format!("the log has {length} bytes, we read at most {MAX_LOG_BYTES}"),
            )
            .at(at));
        }
        let end = self.log_offset.saturating_add(length);
        if length == 0
            || !length.is_multiple_of(MIB)
            || !self.log_offset.is_multiple_of(MIB)
            || self.log_offset < MIB
            || end > file_bytes
        {
            return Err(DiskError::corrupt(
                name,
                at,
                format!(
                    "the log of {length} bytes at {} does not lie on whole MiB inside the file of \
                     {file_bytes} bytes",
                    self.log_offset
                ),
            ));
        }
        Ok(())
    }
}

/// The two copies, and which of them counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Headers {
    pub(crate) copies: [Result<Header, &'static str>; 2],
    /// Index of the copy that counts.
    pub(crate) current: usize,
    pub(crate) header: Header,
}

impl Headers {
    /// Reads both copies and picks the current one.
    pub(crate) fn read(file: &ReplayedFile) -> Result<Self, DiskError> {
        let mut raw = [[0; SECTOR_LEN]; 2];
        for (bytes, offset) in raw.iter_mut().zip(HEADER_OFFSETS) {
            file.read(offset, bytes)?;
        }
        let copies = [Header::parse(&raw[0]), Header::parse(&raw[1])];
        let (current, header) = match copies {
            [Ok(first), Ok(second)] => {
                if first.sequence_number == second.sequence_number && raw[0] != raw[1] {
                    return Err(DiskError::corrupt(
                        file.name(),
                        HEADER_OFFSETS[0],
                        format!(
                            "both headers have sequence number {} but differ, so neither is \
                             the current one",
                            first.sequence_number
                        ),
                    ));
                }
                if second.sequence_number > first.sequence_number {
                    (1, second)
                } else {
                    (0, first)
                }
            }
            [Ok(first), Err(_)] => (0, first),
            [Err(_), Ok(second)] => (1, second),
            [Err(first), Err(second)] => {
                return Err(DiskError::corrupt(
                    file.name(),
                    HEADER_OFFSETS[0],
                    format!("both headers are bad: {first}; {second}"),
                ));
            }
        };
        Ok(Self {
            copies,
            current,
            header,
        })
    }
}

/// Reads the identifier and returns the creator's name.
pub(crate) fn read_identifier(file: &ReplayedFile) -> Result<String, DiskError> {
    let mut bytes = [0; 8 + 2 * CREATOR_UNITS];
    file.read(0, &mut bytes)?;
    if bytes_at::<8>(&bytes, 0) != *IDENTIFIER {
        return Err(DiskError::corrupt(
            file.name(),
            0,
            "this is not a VHDX file: the identifier \"vhdxfile\" is missing",
        ));
    }
    if file.real_bytes() > MAX_FILE_BYTES {
        return Err(DiskError::new(
            DiskErrorKind::Unsupported,
            format!("the file is longer than {MAX_FILE_BYTES} bytes"),
        )
        .in_file(file.name()));
    }
    let units: Vec<u16> = (0..CREATOR_UNITS)
        .map(|unit| u16_at(&bytes, 8 + 2 * unit))
        .take_while(|unit| *unit != 0)
        .collect();
    Ok(String::from_utf16_lossy(&units))
}

/// Returns the identifier's 4 KiB.
pub(crate) fn encode_identifier(creator: &str) -> [u8; SECTOR_LEN] {
    let mut bytes = [0; SECTOR_LEN];
    put(&mut bytes, 0, IDENTIFIER);
    for (index, unit) in creator.encode_utf16().take(CREATOR_UNITS - 1).enumerate() {
        put(&mut bytes, 8 + 2 * index, &unit.to_le_bytes());
    }
    bytes
}
