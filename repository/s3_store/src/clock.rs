//! The server's clock, as its answers tell it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// How far the server's clock is ahead of this machine's, learned from the `Date` of its answers.
///
/// Signatures carry a time, and a server refuses one that is a quarter of an hour off. So a machine
/// whose clock is wrong still gets in, after one refusal.
#[derive(Debug, Default)]
pub(crate) struct ServerClock {
    ahead_s: AtomicI64,
}

impl ServerClock {
    /// Returns the server's present, as far as it is known.
    pub(crate) fn now(&self) -> Timestamp {
        let ahead = jiff::SignedDuration::from_secs(self.ahead_s.load(Ordering::Relaxed));
        let own = Timestamp::now();
        own.checked_add(ahead).unwrap_or(own)
    }

    /// Takes in the `Date` of an answer that just came. Returns whether it was news of more than
    /// a minute.
    pub(crate) fn learn(&self, date: &str) -> bool {
        let Some(theirs) = parse_date(date) else {
            return false;
        };
        let ahead = theirs
            .as_second()
            .saturating_sub(Timestamp::now().as_second());
        let before = self.ahead_s.swap(ahead, Ordering::Relaxed);
        before.abs_diff(ahead) > 60
    }
}

/// Reads the time of an HTTP header, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) fn parse_date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

/// Reads a time of the server's XML, such as `2026-11-21T11:24:09.123Z`.
pub(crate) fn parse_iso(text: &str) -> Option<SystemTime> {
    let time: Timestamp = text.trim().parse().ok()?;
    Some(SystemTime::from(time))
}

/// Writes a time as S3 wants it, in whole seconds, never earlier than it is.
pub(crate) fn to_iso(time: SystemTime) -> Option<String> {
    let time = Timestamp::try_from(time).ok()?;
    let whole = match time.subsec_nanosecond() {
        0 => time,
        _ => Timestamp::from_second(time.as_second().checked_add(1)?).ok()?,
    };
    Some(whole.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// Returns a time in seconds since 1970, rounded down.
pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_headers_and_of_xml_are_read() {
        let at = 784_111_777;
        let date = parse_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(date.as_second(), at);
        let iso = parse_iso("1994-11-06T08:49:37.500Z").unwrap();
        assert_eq!(unix_seconds(iso), 784_111_777);
        assert_eq!(to_iso(iso).unwrap(), "1994-11-06T08:49:38Z");
        assert_eq!(parse_date("yesterday"), None);
        assert_eq!(parse_iso(""), None);
    }

    #[test]
    fn a_wrong_clock_is_news_once() {
        let clock = ServerClock::default();
        let later = Timestamp::now() + jiff::SignedDuration::from_hours(3);
        let date = jiff::fmt::rfc2822::to_string(&later.to_zoned(jiff::tz::TimeZone::UTC)).unwrap();
        assert!(clock.learn(&date));
        assert!(!clock.learn(&date));
        let apart = clock.now().as_second() - later.as_second();
        assert!(apart.abs() < 5, "{apart}");
        assert!(!clock.learn("nonsense"));
    }
}
