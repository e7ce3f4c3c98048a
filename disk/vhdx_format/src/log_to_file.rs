//! Replaying a log into its file, where we may change the file.

use std::sync::Arc;

use block_io::{DiskError, WritableFile};
use uuid::Uuid;

use crate::field::SECTOR_LEN;
use crate::guid_source::GuidSource;
use crate::header::Header;
use crate::journal::{Journal, write_zeros};
use crate::structure::Structure;

/// Replays the log into the file and marks it empty.
pub(crate) fn apply_log(
    file: &Arc<dyn WritableFile>,
    structure: &Structure,
    guids: &mut GuidSource,
) -> Result<(), DiskError> {
    let Some(patch) = structure.file.patch() else {
        return Ok(());
    };
    let header = structure.headers.header;
    let current = structure.headers.current;
    let size = structure.file.size_bytes();
    let mut journal = Journal::new(Arc::clone(file), header, current, size);
    journal.extend(0)?;
    for (start, end) in patch.zeros() {
        // Behind the old end everything is zero already.
        let end = end.min(structure.file.real_bytes());
        write_zeros(&journal, start, end.saturating_sub(start))?;
    }
    for offset in patch.sector_offsets() {
        let mut sector = [0; SECTOR_LEN];
        structure.file.read(offset, &mut sector)?;
        journal.put(offset, &sector)?;
    }
    journal.flush()?;
    journal.set_header(Header {
        log_guid: Uuid::nil(),
        file_write_guid: guids.next()?,
        ..header
    })
}
