//! Which chunks a proof reads again.

use std::collections::BTreeSet;
use std::ops::Range;

use block_io::ByteRanges;

use crate::RepositoryError;
use crate::format::random_bytes;
use crate::read::MapShape;

/// How much of what a source calls unchanged is read again, and which part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleBudget {
    random_chunks: u32,
    window: Range<u64>,
    seed: [u8; 32],
}

impl SampleBudget {
    /// Asks for `random_chunks` chunks anywhere, and for all chunks that `window` touches, a range
    /// of bytes of the disk. Nobody can know which chunks are drawn.
    pub fn new(random_chunks: u32, window: Range<u64>) -> Result<Self, RepositoryError> {
        Ok(Self::with_seed(random_chunks, window, random_bytes()?))
    }

    /// Asks for the same, with draws that follow from `seed`.
    pub fn with_seed(random_chunks: u32, window: Range<u64>, seed: [u8; 32]) -> Self {
        Self {
            random_chunks,
            window,
            seed,
        }
    }

    /// Returns the chunks that are to be proved, ascending: those of the window, and random ones
    /// outside of it, each of these as likely as any other. What `changed` touches is not among
    /// them. There are fewer random ones only where no others are left.
    pub(crate) fn choose(&self, shape: MapShape, changed: &ByteRanges) -> Vec<Range<u64>> {
        let unit = shape.chunk_bytes;
        let disk = 0..shape.chunks();
        let mut taken = changed.rounded(unit, shape.size_bytes);
        let window = self.window.start..self.window.end.min(shape.size_bytes);
        let window = if window.is_empty() {
            0..0
        } else {
            window.start / unit..window.end.div_ceil(unit)
        };
        let mut chosen = gaps(&taken, unit, window.clone());
        taken.insert(window.start * unit, (window.end - window.start) * unit);
        let rest = gaps(&taken, unit, disk);
        let mut draws = Draws::new(&self.seed);
        let ranks = draws.distinct(self.random_chunks.into(), total(&rest));
        let mut skipped = 0;
        let mut rest = rest.into_iter().peekable();
        for rank in ranks {
            while let Some(passed) =
                rest.next_if(|range| skipped + (range.end - range.start) <= rank)
            {
                skipped += passed.end - passed.start;
            }
            if let Some(range) = rest.peek() {
                let chunk = range.start + (rank - skipped);
                chosen.push(chunk..chunk + 1);
            }
        }
        chosen.sort_unstable_by_key(|range| range.start);
        chosen
    }
}

/// Returns the chunks of `within` that `taken`, in whole chunks of `unit` bytes, does not touch.
fn gaps(taken: &ByteRanges, unit: u64, within: Range<u64>) -> Vec<Range<u64>> {
    let mut gaps = Vec::new();
    let mut start = within.start;
    for range in taken.iter() {
        let (first, end) = (range.start / unit, range.end.div_ceil(unit));
        if first > start {
            gaps.push(start..first.min(within.end));
        }
        start = start.max(end);
        if start >= within.end {
            break;
        }
    }
    gaps.push(start..within.end);
    gaps.retain(|range| range.start < range.end);
    gaps
}

fn total(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.end - range.start).sum()
}

/// Random numbers from a seed.
struct Draws(blake3::OutputReader);

impl Draws {
    fn new(seed: &[u8; 32]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("lifeboat v1 sample of unchanged chunks");
        Self(hasher.update(seed).finalize_xof())
    }

    /// Returns a number below `bound`, which is not 0.
    fn below(&mut self, bound: u64) -> u64 {
        // Numbers above the last multiple of `bound` would make small ones likelier.
        let limit = u64::MAX - u64::MAX % bound;
        loop {
            let mut bytes = [0; 8];
            self.0.fill(&mut bytes);
            let number = u64::from_le_bytes(bytes);
            if number < limit {
                return number % bound;
            }
        }
    }

    /// Returns `count` different numbers below `bound`, or all where there are no more.
    fn distinct(&mut self, count: u64, bound: u64) -> BTreeSet<u64> {
        let mut drawn = BTreeSet::new();
        // Floyd's way: each step adds a number, and every set is as likely as any other.
        for last in bound.saturating_sub(count)..bound {
            let number = self.below(last + 1);
            if !drawn.insert(number) {
                drawn.insert(last);
            }
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UNIT: u32 = 4096;

    fn chunks(ranges: &[Range<u64>]) -> Vec<u64> {
        ranges.iter().cloned().flatten().collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn the_whole_budget_is_spent_on_unchanged_chunks_alone(
            size in 1_u64..400_000,
            parts in prop::collection::vec((0_u64..400_000, 0_u64..30_000), 0..6),
            window in (0_u64..400_000, 0_u64..100_000),
            count in 0_u32..60,
            seed: [u8; 32],
        ) {
            let shape = MapShape::new(size, UNIT).unwrap();
            let unit = u64::from(UNIT);
            let changed: ByteRanges = parts.iter().map(|(at, len)| *at..at + len).collect();
            let window = window.0..window.0 + window.1;
            let budget = SampleBudget::with_seed(count, window.clone(), seed);
            let chosen = chunks(&budget.choose(shape, &changed));
            prop_assert!(chosen.is_sorted_by(|a, b| a < b), "each once, in order");
            let span = |chunk: u64| chunk * unit..(chunk * unit + unit).min(size);
            let unchanged: Vec<u64> =
                (0..shape.chunks()).filter(|chunk| !changed.intersects(span(*chunk))).collect();
            prop_assert!(chosen.iter().all(|chunk| unchanged.contains(chunk)));
            let in_window = |chunk: &&u64| {
                let span = span(**chunk);
                window.start.max(span.start) < window.end.min(span.end)
            };
            let swept = unchanged.iter().filter(in_window).count();
            prop_assert_eq!(chosen.iter().filter(in_window).count(), swept);
            let rest = (count as usize).min(unchanged.len() - swept);
            prop_assert_eq!(chosen.len(), swept + rest);
        }
    }

    #[test]
    fn every_chunk_is_drawn_about_equally_often() {
        let shape = MapShape::new(10 * u64::from(UNIT), UNIT).unwrap();
        let changed: ByteRanges = std::iter::once(3 * 4096..4 * 4096).collect();
        let mut counts = [0; 10];
        for seed in 0..3000_u32 {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&seed.to_le_bytes());
            let budget = SampleBudget::with_seed(3, 0..0, bytes);
            for chunk in chunks(&budget.choose(shape, &changed)) {
                counts[usize::try_from(chunk).unwrap()] += 1;
            }
        }
        assert_eq!(counts[3], 0);
        for (chunk, count) in counts.iter().enumerate().filter(|(chunk, _)| *chunk != 3) {
            // A third of 3000, and six times the deviation that is to be expected.
            assert!((845..1155).contains(count), "chunk {chunk}: {count}");
        }
    }
}
