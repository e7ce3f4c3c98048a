//! The two headers, of which one counts.

use super::fields::Fields;
use super::layout::{FORMAT_VERSION, HEADER_BYTES, HEADER_OFFSETS, SIGNATURE};
use crate::ConfigError;

/// What the current header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    sequence: u16,
    pub(super) log_offset: usize,
    pub(super) log_bytes: u64,
    pub(super) log_header_bytes: usize,
}

/// Returns the valid header with the greater sequence.
///
/// The sequence has 16 bits and may wrap; no file shows how a host compares it then, so it is
/// compared plainly, as the known readers do.
pub(super) fn current(file: &[u8]) -> Result<Header, ConfigError> {
    let [first, second] = HEADER_OFFSETS.map(|at| read(file, at));
    let (version, header) = match (first, second) {
        (Ok(first), Ok(second)) if second.1.sequence > first.1.sequence => second,
        (Ok(header), _) | (Err(_), Ok(header)) => header,
        (Err(error), Err(_)) => return Err(error),
    };
    if version != FORMAT_VERSION {
        return Err(ConfigError::unsupported(
            "format version",
            format!("expected {FORMAT_VERSION:#06x}, found {version:#06x}"),
        ));
    }
    Ok(header)
}

fn read(file: &[u8], at: usize) -> Result<(u32, Header), ConfigError> {
    let fields = Fields::take(file, "header", at, HEADER_BYTES)?;
    fields.check_signature(SIGNATURE)?;
    fields.check_crc(4)?;
    let header = Header {
        sequence: fields.u16(8)?,
        log_offset: fields.offset64(26)?,
        log_bytes: fields.u64(34)?,
        log_header_bytes: fields.len32(42)?,
    };
    Ok((fields.u32(10)?, header))
}
