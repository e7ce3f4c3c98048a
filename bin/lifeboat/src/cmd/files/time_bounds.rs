//! Times and durations as people write them.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::cli_error::CliError;

/// Reads `2026-05-01`, `2026-05-01T22:00`, both in the time zone of this machine, or a time with a
/// zone of its own. A day alone is its first moment.
pub(super) fn parse_time(text: &str) -> Result<Timestamp, CliError> {
    let zone = TimeZone::system();
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let civil = match text.parse::<DateTime>() {
        Ok(time) => Some(time),
        Err(_) => text
            .parse::<Date>()
            .ok()
            .map(|day| day.to_datetime(jiff::civil::Time::midnight())),
    };
    let zoned = civil.and_then(|time| time.to_zoned(zone).ok());
    zoned.map(|time| time.timestamp()).ok_or_else(|| {
        CliError::usage(format!("{text:?} is no time")).hint("write 2026-05-01 or 2026-05-01T22:00")
    })
}

/// Reads a duration: `90m`, `12h`, `7d`, `2w`.
pub(super) fn parse_duration(text: &str) -> Result<SignedDuration, CliError> {
    let parse = || {
        let at = text.find(|letter: char| !letter.is_ascii_digit())?;
        let (number, unit) = text.split_at(at);
        let seconds = match unit.trim() {
            "m" | "min" => 60,
            "h" => 3600,
            "d" => 86_400,
            "w" => 7 * 86_400,
            _ => return None,
        };
        let seconds = number.parse::<i64>().ok()?.checked_mul(seconds)?;
        Some(SignedDuration::from_secs(seconds))
    };
    parse().ok_or_else(|| {
        CliError::usage(format!("{text:?} is no duration"))
            .hint("write a number and a unit: 90m, 12h, 7d, 2w")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_durations_are_read_as_people_write_them() {
        let time = parse_time("2026-05-01T22:00:00Z").unwrap();
        assert_eq!(time.to_string(), "2026-05-01T22:00:00Z");
        let day = parse_time("2026-05-01").unwrap();
        assert_eq!(parse_time("2026-05-01T00:00").unwrap(), day);
        assert_eq!(parse_duration("90m").unwrap().as_secs(), 5400);
        assert_eq!(parse_duration("2w").unwrap().as_secs(), 14 * 86_400);
        for wrong in ["", "d", "7", "7 years", "99999999999999999w"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
            assert!(parse_time(wrong).is_err(), "{wrong}");
        }
    }
}
