//! Whether the log is closed.

use ntfs_format::{AttributeKind, RestartPage};

use crate::ntfs::LOG_FILE;
use crate::ntfs::table::{Content, Table};
use crate::refusal::{Read, Refusal};

/// Says whether nothing of the log would change the volume's structures.
///
/// A restart page says so. There are two, of which the later counts; one that cannot be read may be
/// the later one.
pub(crate) fn is_closed(table: &Table<'_>) -> Read<bool> {
    let record = table.record(LOG_FILE)?;
    let Some(Content::Runs { runs, .. }) = table.content(&record, AttributeKind::Data, "")? else {
        return Err(Refusal::damaged("the volume has no log"));
    };
    let mut pages = [None; 2];
    for (number, page) in (0..).zip(&mut pages) {
        let bytes = RestartPage::BYTES;
        *page = RestartPage::parse(&mut table.read_runs(&runs, number * bytes, bytes)?)?;
    }
    Ok(RestartPage::log_is_closed(pages))
}
