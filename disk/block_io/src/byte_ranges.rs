//! A set of bytes of a disk.

use std::ops::Range;

/// A set of bytes: ranges in ascending order that neither touch nor overlap.
///
/// What a host calls changed is one. Memory is bounded: beyond [`ByteRanges::RANGES_MAX`] ranges
/// the smallest gaps are closed, so that the set can grow but never lose a byte.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ByteRanges {
    ranges: Vec<Range<u64>>,
}

impl ByteRanges {
    /// Ranges that are kept apart: 16 MiB of them.
    pub const RANGES_MAX: usize = 1 << 20;

    /// Makes an empty set.
    pub const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// Adds `offset .. offset + len_bytes`; an end beyond `u64` counts as its largest value.
    ///
    /// Adding in ascending order takes constant time; any order is right.
    pub fn insert(&mut self, offset: u64, len_bytes: u64) {
        let end = offset.saturating_add(len_bytes);
        if end == offset {
            return;
        }
        // The ranges that touch or overlap the new one are `first .. last`.
        let first = match self.ranges.last() {
            Some(range) if range.end < offset => self.ranges.len(),
            _ => self.ranges.partition_point(|range| range.end < offset),
        };
        let last = first + self.ranges[first..].partition_point(|range| range.start <= end);
        let start = self.ranges[first..last]
            .first()
            .map_or(offset, |range| range.start.min(offset));
        let end = self.ranges[first..last]
            .last()
            .map_or(end, |range| range.end.max(end));
        self.ranges.splice(first..last, std::iter::once(start..end));
        if self.ranges.len() > Self::RANGES_MAX {
            self.close_small_gaps();
        }
    }

    /// Halves the number of ranges by closing the smaller half of the gaps.
    fn close_small_gaps(&mut self) {
        let gaps = self
            .ranges
            .windows(2)
            .map(|pair| pair[1].start - pair[0].end);
        let mut gaps: Vec<u64> = gaps.collect();
        let middle = gaps.len() / 2;
        let (_, limit, _) = gaps.select_nth_unstable(middle);
        let limit = *limit;
        self.ranges.dedup_by(|next, kept| {
            let close = next.start - kept.end <= limit;
            if close {
                kept.end = next.end;
            }
            close
        });
    }

    /// Returns the ranges, ascending.
    pub fn iter(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.ranges.iter().cloned()
    }

    /// Returns whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Returns the number of bytes in the set.
    pub fn total_bytes(&self) -> u64 {
        self.iter()
            .fold(0, |sum, range| sum.saturating_add(range.end - range.start))
    }

    /// Returns whether any byte of `range` is in the set.
    pub fn intersects(&self, range: Range<u64>) -> bool {
        let first = self.ranges.partition_point(|own| own.end <= range.start);
        self.ranges
            .get(first)
            .is_some_and(|own| own.start < range.end && range.start < range.end)
    }

    /// Returns what of the set lies in `range`, ascending.
    pub fn within(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        let first = self.ranges.partition_point(|own| own.end <= range.start);
        let inside = self.ranges.get(first..).unwrap_or_default().iter();
        let inside = inside.take_while({
            let end = range.end;
            move |own| own.start < end
        });
        inside.map(move |own| own.start.max(range.start)..own.end.min(range.end))
    }

    /// Returns whether all bytes of `range` are in the set; of an empty range they are.
    pub fn covers(&self, range: Range<u64>) -> bool {
        let first = self.ranges.partition_point(|own| own.end <= range.start);
        let own = self.ranges.get(first);
        range.is_empty() || own.is_some_and(|own| own.start <= range.start && range.end <= own.end)
    }

    /// Returns the set shrunk to whole units of `unit_bytes` inside a disk of `size_bytes`. The
    /// last unit may be shorter: it counts as whole where all of it that is on the disk is in the
    /// set.
    #[must_use]
    pub fn shrunk(&self, unit_bytes: u64, size_bytes: u64) -> Self {
        let unit = unit_bytes.max(1);
        let mut shrunk = Self::new();
        for range in self.iter() {
            let start = range.start.div_ceil(unit).saturating_mul(unit);
            let end = if range.end >= size_bytes {
                size_bytes
            } else {
                range.end / unit * unit
            };
            shrunk.insert(start, end.saturating_sub(start));
        }
        shrunk
    }

    /// Returns the set grown to whole units of `unit_bytes` inside a disk of `size_bytes`; what
    /// lies beyond its end is dropped.
    #[must_use]
    pub fn rounded(&self, unit_bytes: u64, size_bytes: u64) -> Self {
        let unit = unit_bytes.max(1);
        let mut rounded = Self::new();
        for range in self.iter().filter(|range| range.start < size_bytes) {
            let start = range.start / unit * unit;
            let end = range
                .end
                .div_ceil(unit)
                .saturating_mul(unit)
                .min(size_bytes);
            rounded.insert(start, end - start);
        }
        rounded
    }
}

impl FromIterator<Range<u64>> for ByteRanges {
    fn from_iter<I: IntoIterator<Item = Range<u64>>>(ranges: I) -> Self {
        let mut set = Self::new();
        for range in ranges {
            set.insert(range.start, range.end.saturating_sub(range.start));
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn the_set_holds_what_was_put_in(
            parts in prop::collection::vec((0_u64..200, 0_u64..40), 0..30),
            probe in 0_u64..240,
            len in 0_u64..20,
        ) {
            let mut set = ByteRanges::new();
            let mut model = BTreeSet::new();
            for (offset, len) in &parts {
                set.insert(*offset, *len);
                model.extend(*offset..offset + len);
            }
            let held: BTreeSet<u64> = set.iter().flatten().collect();
            prop_assert_eq!(&held, &model);
            prop_assert_eq!(set.total_bytes(), model.len() as u64);
            let touching = set.ranges.windows(2).any(|pair| pair[0].end >= pair[1].start);
            prop_assert!(!touching);
            prop_assert_eq!(
                set.intersects(probe..probe + len),
                (probe..probe + len).any(|byte| model.contains(&byte))
            );
            prop_assert_eq!(
                set.covers(probe..probe + len),
                (probe..probe + len).all(|byte| model.contains(&byte))
            );
            let within: BTreeSet<u64> = set.within(probe..probe + len).flatten().collect();
            let expected: BTreeSet<u64> =
                (probe..probe + len).filter(|byte| model.contains(byte)).collect();
            prop_assert_eq!(within, expected);
            let shrunk: BTreeSet<u64> = set.shrunk(16, 150).iter().flatten().collect();
            let expected: BTreeSet<u64> =
                (0..150).filter(|byte| (byte / 16 * 16..(byte / 16 * 16 + 16).min(150))
                    .all(|byte| model.contains(&byte))).collect();
            prop_assert_eq!(shrunk, expected);
            let rounded: BTreeSet<u64> = set.rounded(16, 150).iter().flatten().collect();
            let expected: BTreeSet<u64> =
                (0..150).filter(|byte| (byte / 16 * 16..byte / 16 * 16 + 16)
                    .any(|byte| byte < 150 && model.contains(&byte))).collect();
            prop_assert_eq!(rounded, expected);
        }
    }

    #[test]
    fn too_many_ranges_grow_together_and_lose_nothing() {
        let count = ByteRanges::RANGES_MAX as u64 + 10;
        let set: ByteRanges = (0..count).map(|n| n * 10..n * 10 + 1 + n % 7).collect();
        assert!(set.ranges.len() <= ByteRanges::RANGES_MAX);
        for n in [0, 1, count / 2, count - 1] {
            assert!(set.intersects(n * 10..n * 10 + 1));
        }
    }
}
