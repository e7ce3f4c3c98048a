//! Little-endian fields of a structure, with errors that name structure and offset.

use crate::ConfigError;

/// A structure's bytes and where they begin in the file.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    what: &'static str,
    at: usize,
    bytes: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Takes `len` bytes at `at`, which must lie inside the file.
    pub(super) fn take(
        file: &'a [u8],
        what: &'static str,
        at: usize,
        len: usize,
    ) -> Result<Self, ConfigError> {
        let bytes = at
            .checked_add(len)
            .and_then(|end| file.get(at..end))
            .ok_or_else(|| {
                ConfigError::corrupt(
                    what,
                    format!(
                        "expected {len} bytes, but the file ends at {} bytes",
                        file.len()
                    ),
                )
                .at(at)
            })?;
        Ok(Self { what, at, bytes })
    }

    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    fn array<const N: usize>(&self, offset: usize) -> Result<[u8; N], ConfigError> {
        offset
            .checked_add(N)
            .and_then(|end| self.bytes.get(offset..end))
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| {
                ConfigError::corrupt(
                    self.what,
                    format!("expected {N} more bytes, but it has {}", self.bytes.len()),
                )
                .at(self.at.saturating_add(offset))
            })
    }

    pub(super) fn u8(&self, offset: usize) -> Result<u8, ConfigError> {
        self.array::<1>(offset).map(|[byte]| byte)
    }

    pub(super) fn u16(&self, offset: usize) -> Result<u16, ConfigError> {
        self.array(offset).map(u16::from_le_bytes)
    }

    pub(super) fn u32(&self, offset: usize) -> Result<u32, ConfigError> {
        self.array(offset).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&self, offset: usize) -> Result<u64, ConfigError> {
        self.array(offset).map(u64::from_le_bytes)
    }

    /// Reads a 32-bit length. It fits on every machine that we run on.
    pub(super) fn len32(&self, offset: usize) -> Result<usize, ConfigError> {
        self.u32(offset).map(to_usize32)
    }

    /// Reads a 64-bit offset in the file.
    pub(super) fn offset64(&self, offset: usize) -> Result<usize, ConfigError> {
        let value = self.u64(offset)?;
        usize::try_from(value).map_err(|_| {
            ConfigError::expected(self.what, "an offset inside the file", value)
                .at(self.at.saturating_add(offset))
        })
    }

    /// Fails unless the CRC-32 stored at `offset` is that of the bytes with those four zeroed.
    pub(super) fn check_crc(&self, offset: usize) -> Result<(), ConfigError> {
        let stored = self.u32(offset)?;
        let computed = crc_without(self.bytes, offset);
        if stored == computed {
            return Ok(());
        }
        Err(ConfigError::expected(
            format!("{} checksum", self.what),
            format_args!("{computed:#010x}"),
            format_args!("{stored:#010x}"),
        )
        .at(self.at.saturating_add(offset)))
    }

    /// Fails unless the four bytes at the start are `signature`.
    pub(super) fn check_signature(&self, signature: u32) -> Result<(), ConfigError> {
        let found = self.u32(0)?;
        if found == signature {
            return Ok(());
        }
        Err(ConfigError::expected(
            format!("{} signature", self.what),
            format_args!("{signature:#010x}"),
            format_args!("{found:#010x}"),
        )
        .at(self.at))
    }
}

/// Widens a 32-bit value; where `usize` is narrower, no file of ours reaches that far.
pub(super) fn to_usize32(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// CRC-32 of `bytes` with the four at `offset` taken as zero.
pub(super) fn crc_without(bytes: &[u8], offset: usize) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(bytes.get(..offset).unwrap_or(bytes));
    hasher.update(&[0; 4]);
    hasher.update(bytes.get(offset.saturating_add(4)..).unwrap_or(&[]));
    hasher.finalize()
}

/// Stores the CRC-32 of `bytes` with the four at `offset` taken as zero in those four.
pub(super) fn seal(bytes: &mut [u8], offset: usize) {
    let crc = crc_without(bytes, offset);
    if let Some(place) = bytes.get_mut(offset..offset.saturating_add(4)) {
        place.copy_from_slice(&crc.to_le_bytes());
    }
}
