//! Which chunks below a node, or of a stream, are lost.

use std::ops::Range;
use std::sync::Arc;

use crate::maintain::check::damage::LostRange;

/// Ranges that are kept; of the rest only their number and length.
const RANGES_MAX: usize = 64;

/// Lost chunks, numbered from where a node or stream begins: merged ranges, of which the first are
/// kept one by one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LostChunks {
    ranges: Vec<Range<u64>>,
    more: u64,
    lost: u64,
    /// Where the last range ends, also if it is not kept.
    end: u64,
    /// Why the first of them is lost.
    pub(crate) cause: Option<Arc<str>>,
}

impl LostChunks {
    pub(crate) fn is_empty(&self) -> bool {
        self.lost == 0
    }

    /// Adds chunks that lie behind all that were added before.
    pub(crate) fn push(&mut self, range: Range<u64>, cause: impl FnOnce() -> Arc<str>) {
        if range.is_empty() {
            return;
        }
        self.cause.get_or_insert_with(cause);
        let follows = self.lost > 0 && self.end == range.start;
        self.lost += range.end - range.start;
        self.end = range.end;
        if follows {
            // A range that is only counted grows unseen.
            if let (Some(last), 0) = (self.ranges.last_mut(), self.more) {
                last.end = range.end;
            }
        } else if self.ranges.len() < RANGES_MAX {
            self.ranges.push(range);
        } else {
            self.more += 1;
        }
    }

    /// Adds what is lost of a child that begins at chunk `start`, up to chunk `end` at most.
    pub(crate) fn append(&mut self, child: &Self, start: u64, end: u64) {
        let cause = || child.cause.clone().unwrap_or_default();
        for range in &child.ranges {
            let shifted = start + range.start..(start + range.end).min(end);
            self.push(shifted, cause);
        }
        if child.more > 0 {
            let kept: u64 = child
                .ranges
                .iter()
                .map(|range| range.end - range.start)
                .sum();
            self.more += child.more;
            self.lost += child.lost - kept;
            self.end = start + child.end;
        }
    }

    /// Returns the ranges in bytes of a stream, how many there are besides, and how many bytes are
    /// lost in all.
    pub(crate) fn to_bytes(&self, chunk_bytes: u64, size_bytes: u64) -> (Vec<LostRange>, u64, u64) {
        let bytes = |range: &Range<u64>| {
            let offset = range.start.saturating_mul(chunk_bytes);
            let end = range.end.saturating_mul(chunk_bytes).min(size_bytes);
            LostRange {
                offset,
                len_bytes: end.saturating_sub(offset),
            }
        };
        let ranges: Vec<LostRange> = self.ranges.iter().map(bytes).collect();
        // Of the chunks the last one of a stream alone may be shorter.
        let short = self
            .end
            .saturating_mul(chunk_bytes)
            .saturating_sub(size_bytes);
        let lost = self.lost.saturating_mul(chunk_bytes).saturating_sub(short);
        (ranges, self.more, lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause() -> Arc<str> {
        "gone".into()
    }

    #[test]
    fn ranges_are_merged_also_from_child_to_child_and_bounded() {
        let mut child = LostChunks::default();
        child.push(0..2, cause);
        child.push(2..3, cause);
        child.push(250..256, cause);
        let mut parent = LostChunks::default();
        parent.append(&child, 0, 600);
        parent.append(&child, 256, 600);
        let (ranges, more, lost) = parent.to_bytes(10, 5_115);
        let pairs: Vec<_> = ranges.iter().map(|r| (r.offset, r.len_bytes)).collect();
        assert_eq!(pairs, [(0, 30), (2500, 90), (5060, 55)]);
        assert_eq!((more, lost), (0, 175));

        let mut many = LostChunks::default();
        (0..1000).for_each(|n| many.push(n * 2..n * 2 + 1, cause));
        let mut parent = LostChunks::default();
        parent.append(&many, 0, 2000);
        parent.append(&many, 2000, 4000);
        let (ranges, more, lost) = parent.to_bytes(1, 4000);
        assert_eq!((ranges.len() as u64 + more, lost), (2000, 2000));
    }
}
