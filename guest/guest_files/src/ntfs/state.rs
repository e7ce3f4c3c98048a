//! What the volume says of itself as a whole.

use ntfs_format::{AttributeKind, FileRecord, RestartPage, fields};

use super::content::{Content, length};
use super::table::{Table, corrupt};
use crate::{FileError, FileErrorKind, State};

const LOG_FILE: u64 = 2;
const BITMAP: u64 = 6;
/// The volume is to be checked before it is used.
const FLAG_DIRTY: u16 = 1;
const READ_BYTES: usize = 64 << 10;

/// Returns whether what the volume shows is its last state; refuses what is no NTFS 3.
pub(super) fn of(table: &Table, volume: &FileRecord) -> Result<State, FileError> {
    let content = table.content(volume, AttributeKind::VolumeInformation, &[])?;
    let Some(Content::Resident(bytes)) = content else {
        return Err(corrupt("the volume has no description of itself"));
    };
    let (major, minor) = (fields::u8_at(&bytes, 8)?, fields::u8_at(&bytes, 9)?);
    if major != 3 {
        let what = format!("there is no reader for NTFS of version {major}.{minor}");
        return Err(FileError::new(FileErrorKind::Unreadable, what));
    }
    if fields::u16_at(&bytes, 10)? & FLAG_DIRTY != 0 {
        return Ok(State::Behind(
            "it is marked to be checked before it is used: files that were written last may be damaged".to_owned(),
        ));
    }
    Ok(match log_is_closed(table) {
        Ok(true) => State::Clean,
        Ok(false) => State::Behind(
            "it was in use, and its log was not replayed: of what changed in the last seconds before, names, sizes and places may be older".to_owned(),
        ),
        Err(error) => State::Behind(format!("its log cannot be read: {error}")),
    })
}

fn log_is_closed(table: &Table) -> Result<bool, FileError> {
    let record = table.record(LOG_FILE)?;
    let content = table.content(&record, AttributeKind::Data, &[])?;
    let Some(Content::Runs(runs)) = content else {
        return Err(corrupt("the volume has no log"));
    };
    let mut pages = [None; 2];
    for (number, page) in (0..).zip(&mut pages) {
        let mut bytes = vec![0; length(RestartPage::BYTES)];
        table.read_structure(&runs, number * RestartPage::BYTES, &mut bytes)?;
        *page = RestartPage::parse(&mut bytes)?;
    }
    Ok(RestartPage::log_is_closed(pages))
}

/// Counts what is in use: reads the whole bitmap, a bit for each cluster.
pub(super) fn used_bytes(table: &Table) -> Result<u64, FileError> {
    let record = table.record(BITMAP)?;
    let content = table.content(&record, AttributeKind::Data, &[])?;
    let content = content.ok_or_else(|| corrupt("the volume does not say what is in use"))?;
    let needed = table.boot.clusters.div_ceil(8);
    let mut used = 0;
    let mut at = 0;
    while at < needed {
        let mut bytes = vec![0; READ_BYTES.min(length(needed - at))];
        match &content {
            Content::Resident(all) => {
                let len = bytes.len();
                bytes.copy_from_slice(fields::part(all, length(at), len)?);
            }
            Content::Runs(runs) => runs.pieces(
                table.boot.cluster_bytes,
                at,
                &mut bytes,
                &mut |place, buf| {
                    let place = place.ok_or_else(|| corrupt("the bitmap has a hole"))?;
                    table.volume.read_content(place, buf)
                },
            )?,
        }
        at += super::content::count(bytes.len());
        // Bits behind the last cluster say nothing.
        let beyond = table.boot.clusters % 8;
        if let (true, Some(last)) = (at == needed && beyond > 0, bytes.last_mut()) {
            *last &= (1 << beyond) - 1;
        }
        used += bytes
            .iter()
            .map(|byte| u64::from(byte.count_ones()))
            .sum::<u64>();
    }
    Ok(used * table.boot.cluster_bytes)
}
