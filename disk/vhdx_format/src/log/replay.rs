//! Finding the active sequence and turning it into a patch (MS-VHDX 2.3.2, 2.3.3).

use std::collections::HashMap;

use block_io::{DiskError, DiskErrorKind};
use uuid::Uuid;

use super::entry::{Descriptor, LogEntry};
use super::patch::{LoggedSector, Patch};
use super::ring::Ring;
use crate::field::{MAX_FILE_BYTES, SECTOR_BYTES};
use crate::header::FIRST_LOGGABLE;
use crate::replayed_file::ReplayedFile;

/// More separate zero ranges than this are not a log but an attack.
const MAX_ZERO_RANGES: usize = 1 << 20;

/// Reads the log of `guid` and returns what it changes.
///
/// Fails with `Corrupt` where no valid sequence exists, where the file is shorter than the log
/// was told, or where a descriptor points at what may not be logged.
pub(crate) fn replay(file: &ReplayedFile, ring: Ring, guid: Uuid) -> Result<Patch, DiskError> {
    let entries = read_entries(file, ring, guid)?;
    let active = find_active(&entries, ring).ok_or_else(|| {
        DiskError::corrupt(
            file.name(),
            ring.offset,
            "the header says that the log must be replayed, but the log holds no valid sequence",
        )
        .hint("copy the file again from its source, or use an older backup of it")
    })?;
    // `find_active` returns at least the head.
    let head = active.last().copied().unwrap_or(entries[0]);
    check_length(file, ring, &head)?;
    let mut patch = Patch::default();
    for entry in &active {
        entry.for_each(file, ring, |descriptor, source| {
            add(&mut patch, file, ring, descriptor, source)
        })?;
    }
    patch.set_last_file_offset(head.last_file_offset);
    Ok(patch)
}

fn read_entries(file: &ReplayedFile, ring: Ring, guid: Uuid) -> Result<Vec<LogEntry>, DiskError> {
    let mut entries = Vec::new();
    for sector in 0..ring.length / SECTOR_BYTES {
        entries.extend(LogEntry::read(file, ring, sector * SECTOR_BYTES, guid)?);
    }
    Ok(entries)
}

/// Returns the entries to replay, oldest first: of all unbroken runs whose head's tail lies in the
/// run, the one with the highest head, from that tail on.
fn find_active(entries: &[LogEntry], ring: Ring) -> Option<Vec<LogEntry>> {
    // Valid entries do not overlap, so at most one ends at any position.
    let by_end: HashMap<u64, &LogEntry> = entries
        .iter()
        .map(|entry| (ring.wrap(entry.position + entry.length), entry))
        .collect();
    let by_start: HashMap<u64, &LogEntry> = entries
        .iter()
        .map(|entry| (entry.position, entry))
        .collect();
    let follows = |first: &LogEntry, second: &LogEntry| {
        first.sequence_number.checked_add(1) == Some(second.sequence_number)
    };
    let mut heads: Vec<&LogEntry> = entries
        .iter()
        .filter(|entry| {
            by_start
                .get(&ring.wrap(entry.position + entry.length))
                .is_none_or(|next| !follows(entry, next))
        })
        .collect();
    heads.sort_by_key(|head| std::cmp::Reverse(head.sequence_number));
    heads.into_iter().find_map(|head| {
        let mut run = vec![*head];
        let mut oldest = head;
        while oldest.position != head.tail {
            let before = by_end.get(&oldest.position)?;
            // Sequence numbers fall by one at each step, so this ends.
            if !follows(before, oldest) {
                return None;
            }
            oldest = before;
            run.push(*oldest);
        }
        run.reverse();
        Some(run)
    })
}

fn check_length(file: &ReplayedFile, ring: Ring, head: &LogEntry) -> Result<(), DiskError> {
    let at = ring.file_offset(head.position);
    if file.real_bytes() < head.flushed_file_offset {
        return Err(DiskError::corrupt(
            file.name(),
            at,
            format!(
                "the file is cut short: the log expects at least {} bytes, there are {}",
                head.flushed_file_offset,
                file.real_bytes()
            ),
        ));
    }
    if head.last_file_offset > MAX_FILE_BYTES {
        return Err(DiskError::corrupt(
            file.name(),
            at,
            format!(
                "the log wants a file of {} bytes, more than {MAX_FILE_BYTES}",
                head.last_file_offset
            ),
        ));
    }
    Ok(())
}

fn add(
    patch: &mut Patch,
    file: &ReplayedFile,
    ring: Ring,
    descriptor: Descriptor,
    source: u64,
) -> Result<(), DiskError> {
    let (file_offset, len_bytes) = match descriptor {
        Descriptor::Data { file_offset, .. } => (file_offset, SECTOR_BYTES),
        Descriptor::Zero {
            file_offset,
            len_bytes,
        } => (file_offset, len_bytes),
    };
    let end = file_offset.checked_add(len_bytes);
    let fits = end.is_some_and(|end| end <= MAX_FILE_BYTES)
        && file_offset >= FIRST_LOGGABLE
        && file_offset.is_multiple_of(SECTOR_BYTES)
        && len_bytes.is_multiple_of(SECTOR_BYTES)
        && !ring.overlaps(file_offset, len_bytes);
    if !fits {
        return Err(DiskError::corrupt(
            file.name(),
            ring.offset,
            format!("the log changes {len_bytes} bytes at {file_offset}, which may not be logged"),
        ));
    }
    match descriptor {
        Descriptor::Data {
            leading, trailing, ..
        } => patch.put_sector(
            file_offset,
            LoggedSector {
                source,
                leading,
                trailing,
            },
        ),
        Descriptor::Zero { .. } if len_bytes > 0 => {
            patch.put_zeros(file_offset, file_offset + len_bytes);
        }
        Descriptor::Zero { .. } => {}
    }
    if patch.zero_range_count() > MAX_ZERO_RANGES {
        return Err(DiskError::new(
            DiskErrorKind::Unsupported,
            format!("the log zeroes more than {MAX_ZERO_RANGES} separate ranges"),
        )
        .in_file(file.name()));
    }
    Ok(())
}
