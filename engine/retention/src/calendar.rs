//! Hours, days, weeks, months and years of a time zone.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use crate::Rule;

/// A period of a calendar. Equal for two times that lie in the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Period {
    /// The offset tells the two hours apart that a clock shows twice.
    Hour(i16, i8, i8, i8, Offset),
    Day(i16, i8, i8),
    /// Year and number of an ISO week.
    Week(i16, i8),
    Month(i16, i8),
    Year(i16),
}

impl Period {
    /// Returns the period in which a time lies; `None` for `last`, which has none.
    pub(crate) fn of(rule: Rule, time: Timestamp, zone: &TimeZone) -> Option<Self> {
        let local = time.to_zoned(zone.clone());
        let date = local.date();
        let (year, month, day) = (date.year(), date.month(), date.day());
        Some(match rule {
            Rule::Last => return None,
            Rule::Hourly => Self::Hour(year, month, day, local.hour(), local.offset()),
            Rule::Daily => Self::Day(year, month, day),
            Rule::Weekly => {
                let week = date.iso_week_date();
                Self::Week(week.year(), week.week())
            }
            Rule::Monthly => Self::Month(year, month),
            Rule::Yearly => Self::Year(year),
        })
    }
}

impl std::fmt::Display for Period {
    /// Writes `2026-11-20 14:00+01`, `2026-11-20`, `2026-W47`, `2026-11` or `2026`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Hour(year, month, day, hour, offset) => {
                write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:00{offset}")
            }
            Self::Day(year, month, day) => write!(f, "{year:04}-{month:02}-{day:02}"),
            Self::Week(year, week) => write!(f, "{year:04}-W{week:02}"),
            Self::Month(year, month) => write!(f, "{year:04}-{month:02}"),
            Self::Year(year) => write!(f, "{year:04}"),
        }
    }
}
