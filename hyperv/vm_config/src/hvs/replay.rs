//! The replay log: writes that were committed, but may not have reached their place.

use super::fields::{Fields, seal};
use super::header::Header;
use super::layout::{
    LOG_ENTRY_BYTES, LOG_HEADER_BYTES, LOG_SIGNATURE, MAX_FILE_BYTES, OBJECT_TABLE_OFFSET,
};
use crate::ConfigError;

struct Write {
    target: usize,
    data: Vec<u8>,
}

/// Applies the log to the file in memory. All checksums are checked before anything is changed.
pub(super) fn apply(file: &mut Vec<u8>, header: &Header) -> Result<(), ConfigError> {
    for write in writes(file, header)? {
        let end = write.target.saturating_add(write.data.len());
        if file.len() < end {
            // Bounded by `writes`.
            file.resize(end, 0);
        }
        if let Some(place) = file.get_mut(write.target..end) {
            place.copy_from_slice(&write.data);
        }
    }
    Ok(())
}

/// Says in the log's header that there is nothing to apply. What was logged stays, as hosts
/// leave it.
pub(super) fn clear(file: &mut [u8], header: &Header) {
    let end = header.log_offset.saturating_add(LOG_HEADER_BYTES);
    let Some(log) = file.get_mut(header.log_offset..end) else {
        return;
    };
    if log.iter().all(|byte| *byte == 0) {
        return;
    }
    if let Some(entries) = log.get_mut(8..12) {
        entries.fill(0);
    }
    seal(log, 4);
}

fn writes(file: &[u8], header: &Header) -> Result<Vec<Write>, ConfigError> {
    // Closed files may end before their log does: missing bytes are an empty log.
    let Ok(log) = Fields::take(file, "replay log", header.log_offset, LOG_HEADER_BYTES) else {
        return Ok(Vec::new());
    };
    if log.bytes().iter().all(|byte| *byte == 0) {
        return Ok(Vec::new());
    }
    log.check_signature(LOG_SIGNATURE)?;
    log.check_crc(4)?;
    let (count, room) = (log.len32(8)?, log.u32(13)?);
    let end = LOG_ENTRY_BYTES
        .checked_mul(count)
        .and_then(|bytes| bytes.checked_add(LOG_HEADER_BYTES));
    if log.u32(8)? > room || end.is_none_or(|end| end > header.log_header_bytes) {
        return Err(ConfigError::expected(
            "replay log entries",
            format_args!("at most {room} that fit {} bytes", header.log_header_bytes),
            count,
        )
        .at(header.log_offset.saturating_add(8)));
    }
    let mut budget = MAX_FILE_BYTES;
    (0..count)
        .map(|index| {
            let at = header
                .log_offset
                .saturating_add(LOG_HEADER_BYTES)
                .saturating_add(LOG_ENTRY_BYTES.saturating_mul(index));
            write(file, header, at, &mut budget)
        })
        .collect()
}

fn write(
    file: &[u8],
    header: &Header,
    at: usize,
    budget: &mut usize,
) -> Result<Write, ConfigError> {
    let entry = Fields::take(file, "replay log entry", at, LOG_ENTRY_BYTES)?;
    entry.check_crc(20)?;
    let (target, len) = (entry.offset64(0)?, entry.len32(8)?);
    let place = entry.offset64(12)?;
    let out_of_bounds = |what: &str, found: usize| {
        ConfigError::expected(what, "a range inside the file and the log", found).at(at)
    };
    // A log that rewrites the headers would decide about itself; none was seen.
    if target < OBJECT_TABLE_OFFSET
        || target
            .checked_add(len)
            .is_none_or(|end| end > MAX_FILE_BYTES)
    {
        return Err(out_of_bounds("replay log target", target));
    }
    let inside = place
        .checked_add(len)
        .is_some_and(|end| u64::try_from(end).is_ok_and(|end| end <= header.log_bytes));
    if !inside {
        return Err(out_of_bounds("replay log data offset", place));
    }
    *budget = budget
        .checked_sub(len)
        .ok_or_else(|| out_of_bounds("replay log data size", len))?;
    let source = header.log_offset.saturating_add(place);
    let data = Fields::take(file, "replay log data", source, len)?.bytes();
    let (stored, computed) = (entry.u32(24)?, crc32fast::hash(data));
    if stored != computed {
        return Err(ConfigError::expected(
            "replay log data checksum",
            format_args!("{computed:#010x}"),
            format_args!("{stored:#010x}"),
        )
        .at(source));
    }
    Ok(Write {
        target,
        data: data.to_vec(),
    })
}
