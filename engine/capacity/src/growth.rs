//! How many bytes come to it in a day.

use jiff::Timestamp;
use serde::Serialize;

use crate::Stored;
use crate::stored::median;

/// Days that are looked at.
const DAYS: usize = 30;
/// Days of history below which nothing is said.
const DAYS_MIN: usize = 3;
/// From so many days on, only days that are a week apart are compared.
const DAYS_WEEKLY: usize = 15;
const WEEK: usize = 7;
const DAY_SECONDS: i64 = 24 * 60 * 60;

/// How many bytes come to it in a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Growth {
    /// Bytes in a day.
    pub bytes_per_day: u64,
    /// Days of history that this was told from.
    pub days: u32,
}

/// Returns how much points store in a day; `None` where there is too little history to say.
pub fn growth(stored: &[Stored], now: Timestamp) -> Option<Growth> {
    let days_ago = |time: Timestamp| {
        let seconds = now.as_second().checked_sub(time.as_second())?;
        usize::try_from(seconds.checked_div(DAY_SECONDS)?).ok()
    };
    let ages = stored
        .iter()
        .filter_map(|own| Some((days_ago(own.time)?, own)));
    let recent: Vec<(usize, &Stored)> = ages.filter(|(age, _)| *age < DAYS).collect();
    let days = recent.iter().map(|(age, _)| age + 1).max()?;
    if days < DAYS_MIN {
        return None;
    }
    let mut by_day = vec![0_u64; days];
    for (age, own) in recent.iter().filter(|(_, own)| !own.first) {
        let day = by_day.get_mut(days - 1 - age)?;
        *day = day.saturating_add(own.stored_bytes);
    }
    let mut sum = 0_u64;
    let sums = by_day.iter().map(|bytes| {
        sum = sum.saturating_add(*bytes);
        sum
    });
    let sums: Vec<u64> = sums.collect();
    Some(Growth {
        bytes_per_day: slope(&sums)?,
        days: u32::try_from(days).ok()?,
    })
}

/// Returns the median of the slopes between sums, in bytes per day.
///
/// With two weeks of history these are the slopes over each week, so that neither the days of a
/// week nor one large day are a trend; with less, those between any two days (Theil–Sen).
fn slope(sums: &[u64]) -> Option<u64> {
    let apart = if sums.len() >= DAYS_WEEKLY {
        WEEK..=WEEK
    } else {
        1..=sums.len()
    };
    let mut slopes = Vec::new();
    for days in apart {
        let pairs = sums.iter().zip(sums.iter().skip(days));
        let days = u64::try_from(days).ok()?;
        // Sums never fall.
        slopes.extend(pairs.map(|(earlier, later)| later.saturating_sub(*earlier) / days));
    }
    median(slopes)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn points(days: std::ops::Range<i64>, bytes: impl Fn(i64) -> u64) -> Vec<Stored> {
        days.map(|ago| Stored {
            vm: "vm".to_owned(),
            time: now() - SignedDuration::from_hours(24 * ago + 1),
            first: false,
            read_bytes: bytes(ago),
            stored_bytes: bytes(ago),
        })
        .collect()
    }

    #[test]
    fn a_steady_day_is_the_growth_and_one_large_day_does_not_move_it() {
        let steady = growth(&points(0..40, |_| 1000), now()).unwrap();
        assert_eq!((steady.bytes_per_day, steady.days), (1000, 30));
        for day in [0, 2, 12, 15, 29] {
            let burst = points(0..40, |ago| if ago == day { 90_000 } else { 1000 });
            assert_eq!(growth(&burst, now()).unwrap().bytes_per_day, 1000, "{day}");
        }
    }

    #[test]
    fn a_full_backup_on_each_sunday_is_no_trend() {
        let weekly = points(0..30, |ago| if ago % 7 == 3 { 8000 } else { 1000 });
        assert_eq!(growth(&weekly, now()).unwrap().bytes_per_day, 2000);
    }

    #[test]
    fn first_backups_and_too_little_history_say_nothing() {
        let mut some = points(0..10, |_| 500);
        some[9].first = true;
        some[9].stored_bytes = 1 << 40;
        some[4].first = true;
        some[4].stored_bytes = 1 << 40;
        let found = growth(&some, now()).unwrap().bytes_per_day;
        assert!((400..=500).contains(&found), "{found}");
        assert_eq!(growth(&points(0..2, |_| 500), now()), None);
        assert_eq!(growth(&[], now()), None);
        let ahead = points(-9..-1, |_| 500);
        assert_eq!(growth(&ahead, now()), None);
    }
}
