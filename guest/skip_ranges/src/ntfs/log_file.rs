//! Whether the log is closed.

use crate::fields::{le, part};
use crate::ntfs::LOG_FILE;
use crate::ntfs::attribute::{AttributeKind, Content};
use crate::ntfs::file_record::repair;
use crate::ntfs::table::Table;
use crate::refusal::{Read, Refusal, ensure};

/// Where the second restart page lies, and how long each is.
const PAGE_BYTES: u64 = 4096;
/// The volume was let go cleanly.
const VOLUME_IS_CLEAN: u16 = 2;
const NO_CLIENT: u16 = 0xFFFF;

/// Says whether nothing of the log would change the volume's structures.
///
/// A restart page says so. There are two, of which the later counts; one that cannot be read may be
/// the later one.
pub(crate) fn is_closed(table: &Table<'_>) -> Read<bool> {
    let record = table.record(LOG_FILE)?;
    let Some(Content::Runs { runs, .. }) = table.content(&record, AttributeKind::Data, "")? else {
        return Err(Refusal::damaged("the volume has no log"));
    };
    let mut latest: Option<(u64, bool)> = None;
    for page in 0..2 {
        let mut bytes = table.read_runs(&runs, page * PAGE_BYTES, PAGE_BYTES)?;
        // A log that was never used, as format makes it.
        if bytes.iter().all(|byte| *byte == 0xFF) {
            continue;
        }
        if bytes.starts_with(b"CHKD") {
            repair(&mut bytes, *b"CHKD")?;
        } else {
            repair(&mut bytes, *b"RSTR")?;
        }
        ensure(
            u64::from(le::u32_at(&bytes, 16)?) == PAGE_BYTES,
            "the log has pages of another size",
        )?;
        let area_at = usize::from(le::u16_at(&bytes, 24)?);
        let area = part(&bytes, area_at, 48)?;
        let sequence = le::u64_at(area, 0)?;
        let closed =
            le::u16_at(area, 12)? == NO_CLIENT || le::u16_at(area, 14)? & VOLUME_IS_CLEAN != 0;
        latest = match latest {
            Some((other, also)) if other == sequence => Some((sequence, closed && also)),
            Some((other, known)) if other > sequence => Some((other, known)),
            _ => Some((sequence, closed)),
        };
    }
    Ok(latest.is_none_or(|(_, closed)| closed))
}
