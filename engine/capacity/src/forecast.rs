//! When it will be full.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::Growth;

/// What is farther away is not told: nobody plans so far.
const DAYS_MAX: u64 = 10 * 365;

/// When it will be full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "forecast", rename_all = "kebab-case")]
pub enum Forecast {
    /// It is.
    Full,
    /// About then, if it goes on as it did.
    FullOn {
        /// The time.
        time: Timestamp,
        /// Days from now.
        days: u64,
    },
    /// Not within ten years.
    NotSoon,
    /// There is no limit, or too little history.
    Unknown,
}

/// Says when `used_bytes` will have grown to `limit_bytes`.
pub fn forecast(
    used_bytes: u64,
    limit_bytes: Option<u64>,
    growth: Option<Growth>,
    now: Timestamp,
) -> Forecast {
    let Some(limit) = limit_bytes else {
        return Forecast::Unknown;
    };
    if used_bytes >= limit {
        return Forecast::Full;
    }
    let Some(growth) = growth else {
        return Forecast::Unknown;
    };
    let days = (limit - used_bytes).checked_div(growth.bytes_per_day);
    let Some(days) = days.filter(|days| *days <= DAYS_MAX) else {
        return Forecast::NotSoon;
    };
    let hours = i64::try_from(days.saturating_mul(24)).unwrap_or(i64::MAX);
    match now.checked_add(SignedDuration::from_hours(hours)) {
        Ok(time) => Forecast::FullOn { time, days },
        Err(_) => Forecast::NotSoon,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forecast_is_what_is_left_over_what_comes() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let growth = |bytes_per_day| {
            Some(Growth {
                bytes_per_day,
                days: 30,
            })
        };
        let Forecast::FullOn { time, days } = forecast(100, Some(1100), growth(100), now) else {
            panic!("no date");
        };
        assert_eq!(
            (days, time.to_string()),
            (10, "2026-12-01T12:00:00Z".to_owned())
        );
        assert_eq!(forecast(5, Some(5), growth(1), now), Forecast::Full);
        assert_eq!(forecast(5, Some(9), growth(0), now), Forecast::NotSoon);
        assert_eq!(
            forecast(5, Some(u64::MAX), growth(1), now),
            Forecast::NotSoon
        );
        assert_eq!(forecast(5, None, growth(1), now), Forecast::Unknown);
        assert_eq!(forecast(5, Some(9), None, now), Forecast::Unknown);
    }
}
