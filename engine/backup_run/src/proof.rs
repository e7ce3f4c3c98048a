//! How much of what a host calls unchanged is read all the same.

use std::ops::Range;

use jiff::Timestamp;

/// How much of what a host calls unchanged is read and compared with the last point.
///
/// A host whose tracking is wrong would spoil every later point without anybody knowing. So each
/// run reads a few random chunks again, and a window that moves on with the time since the last
/// run, so that the whole disk is proved within so many days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProofPolicy {
    /// Random chunks for each disk and run.
    pub random_chunks: u32,
    /// Days within which the whole disk is read again; 0: never.
    pub whole_within_days: u32,
}

impl Default for ProofPolicy {
    fn default() -> Self {
        Self {
            random_chunks: 16,
            whole_within_days: 90,
        }
    }
}

/// How far the proof of a disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sweep {
    /// Everything before this byte was proved in this round.
    pub(crate) swept_to: u64,
    /// When the round began.
    pub(crate) round_started: Timestamp,
}

impl ProofPolicy {
    /// Returns the window that is to be proved now, and where the sweep stands after it.
    ///
    /// The sweep is to be as far through the disk as the time since the round began is through its
    /// days, in whole chunks; at the end of the disk the next round begins. So runs that take
    /// long, or come seldom, do not make a round longer.
    pub(crate) fn window(
        self,
        sweep: Sweep,
        now: Timestamp,
        size_bytes: u64,
        chunk_bytes: u64,
    ) -> (Range<u64>, Sweep) {
        let elapsed = now
            .as_second()
            .saturating_sub(sweep.round_started.as_second());
        let elapsed = u128::try_from(elapsed).unwrap_or(0);
        let round_seconds = u128::from(self.whole_within_days) * 86_400;
        let target = u128::from(size_bytes) * elapsed;
        let target = target.checked_div(round_seconds).unwrap_or(0);
        let target = u64::try_from(target).unwrap_or(u64::MAX);
        let chunk_bytes = chunk_bytes.max(1);
        let start = sweep.swept_to.min(size_bytes) / chunk_bytes * chunk_bytes;
        let end = target.div_ceil(chunk_bytes).saturating_mul(chunk_bytes);
        let end = end.clamp(start, size_bytes.max(start));
        let after = if end == size_bytes && end > start {
            Sweep {
                swept_to: 0,
                round_started: now,
            }
        } else {
            Sweep {
                swept_to: end,
                ..sweep
            }
        };
        (start..end, after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;
    const CHUNK: u64 = 65_536;

    fn day(number: i64) -> Timestamp {
        Timestamp::from_second(number * DAY).unwrap()
    }

    fn policy(whole_within_days: u32) -> ProofPolicy {
        ProofPolicy {
            random_chunks: 0,
            whole_within_days,
        }
    }

    #[test]
    fn daily_runs_prove_the_whole_disk_within_the_days() {
        let size_bytes = 1000 * CHUNK + 17;
        let mut sweep = Sweep {
            swept_to: 0,
            round_started: day(0),
        };
        let mut proved = 0;
        for number in 1..=10 {
            let (window, after) = policy(10).window(sweep, day(number), size_bytes, CHUNK);
            assert_eq!(
                window.start, proved,
                "the window begins where the last one ended"
            );
            proved = window.end;
            sweep = after;
        }
        assert_eq!(proved, size_bytes);
        assert_eq!(sweep.round_started, day(10), "the next round has begun");
    }

    #[test]
    fn the_window_follows_the_time_of_the_round() {
        let sweep = Sweep {
            swept_to: CHUNK,
            round_started: day(100),
        };
        let window = |days, now| policy(days).window(sweep, day(now), 100 * CHUNK, CHUNK).0;
        assert!(window(10, 100).is_empty());
        // A clock that was set back proves nothing, and forgets nothing.
        assert!(window(10, 50).is_empty());
        assert!(window(0, 900).is_empty());
        assert_eq!(window(10, 105), CHUNK..50 * CHUNK);
        assert_eq!(window(10, 900), CHUNK..100 * CHUNK);
    }
}
