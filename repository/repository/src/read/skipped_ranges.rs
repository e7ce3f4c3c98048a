//! Which ranges of a stream were left out on purpose.

use block_io::ByteRanges;

use crate::format::Entry;
use crate::read::{Leaf, MapReader};
use crate::stream::Stream;
use crate::{Repository, RepositoryError};

impl Repository {
    /// Returns the ranges of a stream that were left out on purpose when it was stored, in bytes.
    ///
    /// `None` where they are more than [`ByteRanges::RANGES_MAX`], which keeps no more apart.
    /// Nothing is read of a stream of which nothing was left out.
    pub fn skipped_ranges(&self, stream: &Stream) -> Result<Option<ByteRanges>, RepositoryError> {
        let mut ranges = ByteRanges::new();
        if stream.statistics.skipped_bytes == 0 {
            return Ok(Some(ranges));
        }
        let map = self.open_map(stream)?;
        let mut count = 0;
        let mut end = None;
        for leaf_index in 0..map.shape.leaves() {
            for (start, len_bytes) in skipped_in_leaf(&map, leaf_index)? {
                count += usize::from(end != Some(start));
                if count >= ByteRanges::RANGES_MAX {
                    return Ok(None);
                }
                ranges.insert(start, len_bytes);
                end = Some(start + len_bytes);
            }
        }
        Ok(Some(ranges))
    }
}

/// Returns the runs of skipped chunks of a leaf: offset and length in bytes.
fn skipped_in_leaf(map: &MapReader, index: u64) -> Result<Vec<(u64, u64)>, RepositoryError> {
    let leaf = map.leaf(index)?;
    let span = map.shape.span(0, index);
    if let Leaf::Uniform(entry) = &leaf {
        return Ok(match entry {
            Entry::Skipped => vec![(span.start, span.end - span.start)],
            _ => Vec::new(),
        });
    }
    let mut found: Vec<(u64, u64)> = Vec::new();
    for slot in 0..map.shape.entries(0, index) {
        if !matches!(leaf.entry(slot), Entry::Skipped) {
            continue;
        }
        let chunk = index * 256 + slot as u64;
        let start = chunk * map.shape.chunk_bytes;
        let len_bytes = map.shape.chunk_len(chunk) as u64;
        match found.last_mut() {
            Some((first, len)) if *first + *len == start => *len += len_bytes,
            _ => found.push((start, len_bytes)),
        }
    }
    Ok(found)
}
