//! NTFS.
//!
//! `ntfs_format` parses its structures; what is in doubt there is damage here. Volume shadow copies
//! are as libvshadow describes them; nothing is taken from its code.

mod cluster_bitmap;
mod directory;
mod log_file;
mod shadow_copies;
mod table;

use ntfs_format::{AttributeKind, FileNameValue, FileRecord, is_called, record_number};

use crate::fields::le;
use crate::found_ranges::FoundRanges;
use crate::refusal::{Read, Refusal, RefusalKind};
use crate::request::{SkipReason, SkipRequest};
use crate::verdict::Finding;
use crate::volume::Volume;
use table::{Content, Table};

/// Record numbers that every volume has.
const VOLUME: u64 = 3;
const LOG_FILE: u64 = 2;
const ROOT: u64 = 5;
const BITMAP: u64 = 6;

/// Flags of a volume that ask for work before it is used: a check, another size of the log, an
/// upgrade.
const FLAGS_NOT_AT_REST: u16 = 0x0001 | 0x0002 | 0x0004;

/// Files in the root of a volume whose content no other system needs.
const FILES: [(&str, SkipReason); 3] = [
    ("pagefile.sys", SkipReason::PageFile),
    ("swapfile.sys", SkipReason::PageFile),
    ("hiberfil.sys", SkipReason::HibernationFile),
];

/// Says what may be left out of an NTFS volume.
pub(crate) fn look(volume: Volume<'_>, request: &SkipRequest, finding: &mut Finding) -> Read<()> {
    let table = Table::open(volume)?;
    let flags = volume_flags(&table)?;
    if flags & FLAGS_NOT_AT_REST != 0 {
        return Err(Refusal::dirty(format!(
            "the volume is marked to be checked before it is used (flags {flags:#06x})"
        )));
    }
    if !log_file::is_closed(&table)? {
        if !(request.flushed && flush_writes_structures()) {
            return Err(Refusal::dirty(
                "its log is not closed, and the guest did not flush it for this backup",
            ));
        }
        finding.relied_on_flush = true;
    }
    let root = directory::entries(&table, ROOT)?;
    for (name, reason) in FILES {
        if !request.wants(reason) {
            continue;
        }
        for entry in root.iter().filter(|entry| entry.is_called(name)) {
            match file_runs(&table, entry, name) {
                Ok(Some(ranges)) => finding.add(reason, ranges),
                Ok(None) => {}
                Err(refusal) => finding.refuse(refusal),
            }
        }
    }
    if request.free_space {
        if let Some(why) = shadow_copies::kept(&table, &root)? {
            return Err(Refusal::new(RefusalKind::ShadowCopies, why));
        }
        finding.add(SkipReason::FreeSpace, cluster_bitmap::free(&table)?);
    }
    Ok(())
}

/// A flush for a snapshot writes the structures that the log is about; it need not close the log of
/// a volume that stays mounted.
///
/// Contract: 5 [M]
const fn flush_writes_structures() -> bool {
    true
}

fn volume_flags(table: &Table<'_>) -> Read<u16> {
    let record = table.record(VOLUME)?;
    match table.content(&record, AttributeKind::VolumeInformation, "")? {
        Some(Content::Resident(bytes)) => le::u16_at(&bytes, 10),
        _ => Err(Refusal::damaged("the volume has no description of itself")),
    }
}

/// Returns where the content of a file of the root lies; `None` for another file of that name.
fn file_runs(table: &Table<'_>, entry: &directory::Entry, name: &str) -> Read<Option<FoundRanges>> {
    let record = table.record(entry.number())?;
    // An entry that stayed behind in the index points to a record that has become another file's.
    if record.sequence() != entry.sequence() || !is_named_in_root(&record, name)? {
        return Ok(None);
    }
    let Some(Content::Runs { runs, plain, .. }) =
        table.content(&record, AttributeKind::Data, "")?
    else {
        return Ok(None);
    };
    if !plain {
        return Ok(None);
    }
    let mut found = FoundRanges::default();
    for run in runs.iter().filter_map(|run| run.clusters.clone()) {
        if !table.may_be_a_file(&run) {
            return Err(Refusal::damaged(format!(
                "{name} lies where the volume's own files do"
            )));
        }
        found.add(table.bytes_of(&run));
    }
    Ok(Some(found))
}

/// Says whether a file has this name in the root, letters large or small.
fn is_named_in_root(record: &FileRecord, name: &str) -> Read<bool> {
    for attribute in record.attributes()? {
        if !attribute.is(AttributeKind::FileName, &[]) {
            continue;
        }
        let value = FileNameValue::parse(attribute.resident().unwrap_or_default())?;
        if record_number(value.folder) == ROOT && is_called(value.name, name) {
            return Ok(true);
        }
    }
    Ok(false)
}
