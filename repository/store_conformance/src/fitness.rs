//! What a store's rates are good for.

use serde::Serialize;

use crate::rates::Rates;

/// What somebody wants to do with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Look into a disk and take files out of it.
    FileRestore,
    /// Run a VM straight out of the repository.
    RunningVms,
}

/// Whether a store is quick enough for a use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fitness {
    /// People would call it broken.
    Unfit,
    /// It works, and people notice.
    Slow,
    /// It works as they expect.
    Good,
}

/// The least rates of a use: (sequential bytes/s, random 4 KiB reads/s).
struct Need {
    good: (u64, u64),
    slow: (u64, u64),
}

impl Use {
    /// All thresholds, in this one place.
    ///
    /// 100 Mbit/s is what the field asks of a network for file restores. A VM that boots reads
    /// some ten thousand small pieces; a disk of the old kind does about a hundred a second.
    fn need(self) -> Need {
        match self {
            Self::FileRestore => Need {
                good: (12_500_000, 50),
                slow: (1_250_000, 5),
            },
            Self::RunningVms => Need {
                good: (50_000_000, 1_000),
                slow: (12_500_000, 100),
            },
        }
    }
}

impl Fitness {
    /// Judges rates for a use.
    pub fn of(rates: &Rates, wanted: Use) -> Self {
        let need = wanted.need();
        let reaches = |(sequential, random): (u64, u64)| {
            rates.read_bytes_per_second >= sequential && rates.random_reads_per_second >= random
        };
        if reaches(need.good) {
            Self::Good
        } else if reaches(need.slow) {
            Self::Slow
        } else {
            Self::Unfit
        }
    }

    /// Returns a word for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unfit => "too slow",
            Self::Slow => "slow",
            Self::Good => "good",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(read_bytes_per_second: u64, random_reads_per_second: u64) -> Rates {
        Rates {
            read_bytes_per_second,
            random_reads_per_second,
            ..Rates::default()
        }
    }

    #[test]
    fn both_rates_must_reach_the_threshold() {
        let judge = |one, other| {
            let rates = rates(one, other);
            [Use::FileRestore, Use::RunningVms].map(|wanted| Fitness::of(&rates, wanted))
        };
        assert_eq!(judge(100_000_000, 5_000), [Fitness::Good, Fitness::Good]);
        assert_eq!(judge(50_000_000, 1_000), [Fitness::Good, Fitness::Good]);
        assert_eq!(judge(50_000_000, 999), [Fitness::Good, Fitness::Slow]);
        assert_eq!(judge(12_500_000, 50), [Fitness::Good, Fitness::Unfit]);
        assert_eq!(judge(12_499_999, 5_000), [Fitness::Slow, Fitness::Unfit]);
        assert_eq!(judge(1_249_999, 5_000), [Fitness::Unfit, Fitness::Unfit]);
        assert_eq!(judge(100_000_000, 4), [Fitness::Unfit, Fitness::Unfit]);
    }
}
