//! Until when an object is locked.

use std::time::{Duration, SystemTime};

use crate::clock::unix_seconds;

const DAY_S: u64 = 24 * 60 * 60;

/// Who may end a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// Nobody, before its time.
    Compliance,
    /// An account with a right of its own.
    Governance,
}

impl LockMode {
    /// Returns the word that S3 uses.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Compliance => "COMPLIANCE",
            Self::Governance => "GOVERNANCE",
        }
    }
}

/// How long objects are locked: for some days, and then to the end of the epoch.
///
/// All that is written in one epoch is locked until the same time, so locks are extended once an
/// epoch and not whenever somebody looks (section 2 of the format page).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockPeriod {
    /// Who may end a lock.
    pub mode: LockMode,
    /// Days that an object stays locked at least.
    pub days: u32,
    /// Days that an epoch has; at least 1.
    pub epoch_days: u32,
}

impl LockPeriod {
    /// The epoch of the format page.
    pub const EPOCH_DAYS: u32 = 7;

    /// Returns until when an object is locked that is written at `now`.
    pub fn end(&self, now: SystemTime) -> SystemTime {
        let epoch_s = u64::from(self.epoch_days.max(1)) * DAY_S;
        let wanted_s = unix_seconds(now).saturating_add(u64::from(self.days) * DAY_S);
        let end_s = wanted_s.div_ceil(epoch_s).saturating_mul(epoch_s);
        SystemTime::UNIX_EPOCH
            .checked_add(Duration::from_secs(end_s))
            .unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_ends_with_an_epoch_and_no_earlier_than_wanted() {
        let period = LockPeriod {
            mode: LockMode::Compliance,
            days: 30,
            epoch_days: LockPeriod::EPOCH_DAYS,
        };
        let at = |day_s: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(day_s);
        // Day 5 and 30 are day 35, which is the end of an epoch.
        assert_eq!(period.end(at(5 * DAY_S)), at(35 * DAY_S));
        assert_eq!(period.end(at(5 * DAY_S + 1)), at(42 * DAY_S));
        assert_eq!(period.end(at(12 * DAY_S)), at(42 * DAY_S));
        let daily = LockPeriod {
            epoch_days: 0,
            ..period
        };
        assert_eq!(daily.end(at(1)), at(31 * DAY_S));
    }
}
