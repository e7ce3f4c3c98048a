//! What changed between the points of a disk's life.

use std::collections::BTreeSet;
use std::ops::Range;

use block_io::ByteRanges;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::SimError;
use crate::tracking::{INCONSISTENT, TrackingId, UNKNOWN_ID, tracking_error};

/// The unit that changes are kept in, in bytes. Contract: 2.3 [M]
pub(crate) const GRANULARITY_BYTES: u64 = 32 << 10;
/// The unit that changes are known in after the host crashed, in bytes. Contract: 3.4 [V?]
const CRASH_GRANULARITY_BYTES: u64 = 1 << 20;

/// What is known of the changes of one disk: what is in its `.rct`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tracking {
    /// Names this file; the first part of all its ids.
    pub(crate) file: Uuid,
    /// Size of the disk in bytes.
    pub(crate) size_bytes: u64,
    /// What named the running file's content when it was last tracked. Another name means that
    /// somebody changed it offline.
    pub(crate) content: Uuid,
    /// The number that the next point gets.
    next: u32,
    /// The points that are remembered, oldest first.
    points: Vec<Point>,
}

/// A moment, and what changed from it to the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Point {
    number: u32,
    #[serde(with = "ranges_as_pairs")]
    changed: ByteRanges,
}

impl Tracking {
    /// Starts to track a disk.
    pub(crate) fn new(file: Uuid, size_bytes: u64, content: Uuid) -> Self {
        Self {
            file,
            size_bytes,
            content,
            next: 1,
            points: Vec::new(),
        }
    }

    /// Makes a point now.
    pub(crate) fn add_point(&mut self) -> TrackingId {
        let number = self.next;
        self.next = self.next.saturating_add(1);
        self.points.push(Point {
            number,
            changed: ByteRanges::new(),
        });
        TrackingId {
            file: self.file,
            number,
        }
    }

    /// Returns the newest point.
    pub(crate) fn newest(&self) -> Option<TrackingId> {
        self.points.last().map(|point| TrackingId {
            file: self.file,
            number: point.number,
        })
    }

    /// Notes that a range changed.
    pub(crate) fn note(&mut self, range: Range<u64>) {
        let size_bytes = self.size_bytes;
        if let Some(point) = self.points.last_mut() {
            let one = ByteRanges::from_iter([range]).rounded(GRANULARITY_BYTES, size_bytes);
            for range in one.iter() {
                point.changed.insert(range.start, range.end - range.start);
            }
        }
    }

    /// Forgets the points that nobody holds; what changed after them counts for those before.
    pub(crate) fn forget_all_but(&mut self, held: &BTreeSet<u32>) {
        let mut kept: Vec<Point> = Vec::new();
        for point in std::mem::take(&mut self.points) {
            if held.contains(&point.number) {
                kept.push(point);
            } else if let Some(before) = kept.last_mut() {
                for range in point.changed.iter() {
                    before.changed.insert(range.start, range.end - range.start);
                }
            }
        }
        self.points = kept;
    }

    /// Returns what changed from `limit` to `frozen`, or to now where that is `None`.
    pub(crate) fn between(
        &self,
        limit: TrackingId,
        frozen: Option<TrackingId>,
    ) -> Result<ByteRanges, SimError> {
        let known = |id: &TrackingId| {
            let known = self.points.iter().any(|point| point.number == id.number);
            id.file == self.file && known
        };
        if !known(&limit) {
            return Err(tracking_error(UNKNOWN_ID));
        }
        if frozen.is_some_and(|frozen| frozen.file != self.file) {
            return Err(tracking_error(INCONSISTENT));
        }
        let end = frozen.map_or(u32::MAX, |frozen| frozen.number);
        if end < limit.number {
            return Err(tracking_error(UNKNOWN_ID));
        }
        let mut changed = ByteRanges::new();
        for point in &self.points {
            if (limit.number..end).contains(&point.number) {
                for range in point.changed.iter() {
                    changed.insert(range.start, range.end - range.start);
                }
            }
        }
        Ok(changed)
    }

    /// What is left of the knowledge when the host loses its power: what changed since the last
    /// point is known in coarser units, and somewhat more is called changed.
    pub(crate) fn crash(&mut self) {
        let size_bytes = self.size_bytes;
        let Some(point) = self.points.last_mut() else {
            return;
        };
        let mut coarse = point.changed.rounded(CRASH_GRANULARITY_BYTES, size_bytes);
        let beyond = coarse.iter().last().map_or(0, |range| range.end);
        coarse.insert(beyond, CRASH_GRANULARITY_BYTES);
        point.changed = coarse.rounded(GRANULARITY_BYTES, size_bytes);
    }

    /// Forgets that a range changed: a lie, for those who want to catch it.
    pub(crate) fn lie(&mut self, range: &Range<u64>) {
        for point in &mut self.points {
            point.changed = without(&point.changed, range);
        }
    }
}

fn without(set: &ByteRanges, hole: &Range<u64>) -> ByteRanges {
    let mut rest = ByteRanges::new();
    for range in set.iter() {
        let before = range.start..range.end.min(hole.start);
        let after = range.start.max(hole.end)..range.end;
        for part in [before, after] {
            rest.insert(part.start, part.end.saturating_sub(part.start));
        }
    }
    rest
}

/// Ranges as pairs of numbers in units of 32 KiB, with what is left over in bytes.
mod ranges_as_pairs {
    use block_io::ByteRanges;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(super) fn serialize<S: Serializer>(
        ranges: &ByteRanges,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let pairs: Vec<(u64, u64)> = ranges.iter().map(|r| (r.start, r.end - r.start)).collect();
        pairs.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<ByteRanges, D::Error> {
        let mut ranges = ByteRanges::new();
        for (offset, len_bytes) in Vec::<(u64, u64)>::deserialize(deserializer)? {
            ranges.insert(offset, len_bytes);
        }
        Ok(ranges)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracking() -> Tracking {
        Tracking::new(Uuid::from_u128(7), 10 << 20, Uuid::nil())
    }

    fn listed(ranges: &ByteRanges) -> Vec<Range<u64>> {
        ranges.iter().collect()
    }

    #[test]
    fn forgotten_points_pass_their_changes_on() {
        let mut tracking = tracking();
        let first = tracking.add_point();
        tracking.note(0..1);
        let second = tracking.add_point();
        tracking.note(100_000..100_001);
        let third = tracking.add_point();
        tracking.forget_all_but(&BTreeSet::from([first.number, third.number]));
        assert!(tracking.between(second, None).is_err());
        let changed = tracking.between(first, Some(third)).unwrap();
        assert_eq!(listed(&changed), [0..32768, 98304..131_072]);
    }

    #[test]
    fn a_crash_says_more_and_never_less() {
        let mut tracking = tracking();
        let first = tracking.add_point();
        tracking.note(5 << 20..(5 << 20) + 1);
        tracking.crash();
        let changed = tracking.between(first, None).unwrap();
        assert_eq!(listed(&changed), vec![5 << 20..7 << 20]);
    }

    #[test]
    fn a_lie_hides_a_range() {
        let mut tracking = tracking();
        let first = tracking.add_point();
        tracking.note(0..131_072);
        tracking.lie(&(32768..65536));
        let changed = tracking.between(first, None).unwrap();
        assert_eq!(listed(&changed), [0..32768, 65536..131_072]);
    }
}
