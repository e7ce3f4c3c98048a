//! How much of what a host calls unchanged is read all the same.

use std::ops::Range;
use std::time::Duration;

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
    /// The window is as long as the time since the last run is of the days of a round, in whole
    /// chunks; it ends at the end of the disk, where the next round begins.
    pub(crate) fn window(
        self,
        sweep: Sweep,
        since_last: Duration,
        now: Timestamp,
        size_bytes: u64,
        chunk_bytes: u64,
    ) -> (Range<u64>, Sweep) {
        let round_seconds = u128::from(self.whole_within_days) * 86_400;
        let whole = u128::from(size_bytes) * u128::from(since_last.as_secs());
        let bytes = whole.checked_div(round_seconds).unwrap_or(0);
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let chunk_bytes = chunk_bytes.max(1);
        let start = sweep.swept_to.min(size_bytes) / chunk_bytes * chunk_bytes;
        let len = bytes.div_ceil(chunk_bytes).saturating_mul(chunk_bytes);
        let end = start.saturating_add(len).min(size_bytes);
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

    const DAY: Duration = Duration::from_secs(86_400);
    const CHUNK: u64 = 65_536;

    #[test]
    fn daily_runs_prove_the_whole_disk_within_the_days() {
        let policy = ProofPolicy {
            random_chunks: 0,
            whole_within_days: 10,
        };
        let now = Timestamp::UNIX_EPOCH;
        let size_bytes = 1000 * CHUNK + 17;
        let mut sweep = Sweep {
            swept_to: 0,
            round_started: now,
        };
        let mut proved = 0;
        let mut runs = 0;
        loop {
            let (window, after) = policy.window(sweep, DAY, now, size_bytes, CHUNK);
            assert_eq!(
                window.start, proved,
                "the window begins where the last one ended"
            );
            proved = window.end;
            runs += 1;
            sweep = after;
            if sweep.swept_to == 0 {
                break;
            }
        }
        assert_eq!(proved, size_bytes);
        assert!(runs <= 10, "{runs}");
    }

    #[test]
    fn a_run_at_once_after_another_proves_nothing_more() {
        let sweep = Sweep {
            swept_to: CHUNK,
            round_started: Timestamp::UNIX_EPOCH,
        };
        let now = Timestamp::UNIX_EPOCH;
        let window = |days, since| {
            let policy = ProofPolicy {
                random_chunks: 0,
                whole_within_days: days,
            };
            policy.window(sweep, since, now, 100 * CHUNK, CHUNK).0
        };
        assert!(window(10, Duration::ZERO).is_empty());
        assert!(window(0, 100 * DAY).is_empty());
        assert_eq!(window(10, 100 * DAY), CHUNK..100 * CHUNK);
    }
}
