//! Ranges that may be left out, in bounded memory.

use std::ops::Range;

/// Shorter ranges are not worth a place in memory: no chunk of a repository lies in them whole.
pub(crate) const RANGE_BYTES_MIN: u64 = 64 << 10;

/// Ranges that are kept: 16 MiB of them, and less than a set of ranges closes gaps at.
pub(crate) const RANGES_MAX: usize = 1 << 19;

/// Ranges that may be left out. There may be fewer than were added, never more: short ones are
/// dropped, and where there are too many ever longer ones.
#[derive(Debug, Clone)]
pub(crate) struct FoundRanges {
    ranges: Vec<Range<u64>>,
    shortest: u64,
    most: usize,
}

impl Default for FoundRanges {
    fn default() -> Self {
        Self::with_room_for(RANGES_MAX)
    }
}

impl FoundRanges {
    fn with_room_for(most: usize) -> Self {
        Self {
            ranges: Vec::new(),
            shortest: RANGE_BYTES_MIN,
            most,
        }
    }

    /// Adds a range; one that begins where the last one ends becomes part of it.
    pub(crate) fn add(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        if let Some(last) = self.ranges.last_mut() {
            if last.end == range.start {
                last.end = range.end;
                return;
            }
            if last.end - last.start < self.shortest {
                *last = range;
                return;
            }
        }
        self.ranges.push(range);
        while self.ranges.len() > self.most {
            self.shortest = self.shortest.saturating_mul(2);
            let shortest = self.shortest;
            self.ranges
                .retain(|range| range.end - range.start >= shortest);
        }
    }

    /// Takes bytes out.
    pub(crate) fn remove(&mut self, hole: &Range<u64>) {
        let parts = self.ranges.iter().flat_map(|range| {
            let before = range.start..range.end.min(hole.start);
            let after = range.start.max(hole.end)..range.end;
            [before, after]
        });
        self.ranges = parts.filter(|part| !part.is_empty()).collect();
    }

    /// Returns the ranges that are long enough, in the order in which they were added.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        let long = |range: &&Range<u64>| range.end - range.start >= self.shortest;
        self.ranges.iter().filter(long).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_grow_together_and_short_ones_are_dropped() {
        let mut found = FoundRanges::default();
        let min = RANGE_BYTES_MIN;
        for range in [
            0..10,
            20..min,
            min..min + 20,
            5 * min..6 * min,
            9 * min..9 * min + 5,
        ] {
            found.add(range);
        }
        let ranges: Vec<_> = found.iter().collect();
        assert_eq!(ranges, [20..min + 20, 5 * min..6 * min]);
        found.remove(&(5 * min..5 * min + 1));
        assert_eq!(found.iter().count(), 1);
    }

    #[test]
    fn of_too_many_the_longest_stay() {
        let mut found = FoundRanges::with_room_for(100);
        let min = RANGE_BYTES_MIN;
        let lengths: Vec<u64> = (1..=1000).map(|n| min + n % 7 * min).collect();
        let mut at = 0;
        for len in &lengths {
            found.add(at..at + len);
            at += len + 1;
        }
        assert!(found.iter().count() <= 100);
        assert!(found.shortest > min);
    }
}
