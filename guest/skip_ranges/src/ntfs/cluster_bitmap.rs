//! Which clusters are free.

use ntfs_format::AttributeKind;

use crate::fields::index;
use crate::found_ranges::FoundRanges;
use crate::ntfs::BITMAP;
use crate::ntfs::table::{Content, Table};
use crate::refusal::{Read, Refusal, ensure};
use crate::volume::READ_BYTES_MAX;

/// Returns the free clusters, in bytes of the disk.
pub(crate) fn free(table: &Table<'_>) -> Read<FoundRanges> {
    let record = table.record(BITMAP)?;
    let content = table.content(&record, AttributeKind::Data, "")?;
    let Some(Content::Runs {
        runs, len_bytes, ..
    }) = content
    else {
        return Err(Refusal::damaged("the volume does not say what is free"));
    };
    let clusters = table.boot.clusters;
    let needed = clusters.div_ceil(8);
    ensure(needed <= len_bytes, "the bitmap is shorter than the volume")?;
    let own: Vec<u64> = [0, table.boot.table, table.boot.table_mirror]
        .into_iter()
        .chain(
            runs.iter()
                .filter_map(|run| run.clusters.as_ref().map(|c| c.start)),
        )
        .collect();
    let mut found = FoundRanges::default();
    let mut at = 0;
    while at < needed {
        let len = READ_BYTES_MAX.min(needed - at);
        let bytes = table.read_runs(&runs, at, len)?;
        for cluster in own
            .iter()
            .filter(|cluster| (at..at + len).contains(&(*cluster / 8)))
        {
            let byte = bytes.get(index(cluster / 8 - at)?).copied().unwrap_or(0);
            ensure(
                byte >> (cluster % 8) & 1 == 1,
                "the bitmap calls the volume's own files free",
            )?;
        }
        crate::bits::clear_runs(&bytes, |run| {
            let first = at * 8 + run.start;
            let last = (at * 8 + run.end).min(clusters);
            found.add(table.bytes_of(&(first..last.max(first))));
        });
        at += len;
    }
    Ok(found)
}
