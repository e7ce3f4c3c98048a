//! Sizes, rates and times as people read them.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli_error::CliError;

/// Writes a number of bytes in binary units: `512 B`, `64.0 KiB`, `1.50 TiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut unit = 0;
    // Ten bits at a time, so that the rest stays exact enough for three digits.
    let mut whole = bytes;
    while whole >= 1024 * 1024 && unit + 1 < UNITS.len() {
        whole >>= 10;
        unit += 1;
    }
    let tenths = whole.saturating_mul(10) / 1024;
    let name = UNITS.get(unit).copied().unwrap_or("PiB");
    if tenths >= 1000 {
        format!("{} {name}", tenths / 10)
    } else {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    }
}

/// Reads a size: `64KiB`, `1.5 GiB`, `100MB`, `512`. Units of a thousand are read as such.
pub(crate) fn parse_size(text: &str) -> Result<u64, CliError> {
    const UNITS: [(&str, u64); 11] = [
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
        ("tib", 1 << 40),
        ("kb", 1_000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
        ("tb", 1_000_000_000_000),
        ("b", 1),
        ("k", 1 << 10),
        ("m", 1 << 20),
    ];
    let parse = || {
        let text = text.trim().to_lowercase();
        let digits = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit = match unit.trim() {
            "" => 1,
            "g" => 1 << 30,
            "t" => 1 << 40,
            unit => UNITS.iter().find(|(name, _)| *name == unit)?.1,
        };
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let part_digits = u32::try_from(part.len()).ok()?;
        let scale = 10_u64
            .checked_pow(part_digits)
            .filter(|_| part_digits <= 6)?;
        let whole = whole.parse::<u64>().ok()?.checked_mul(unit)?;
        whole.checked_add(part.parse::<u64>().ok()?.checked_mul(unit)? / scale)
    };
    parse().ok_or_else(|| {
        CliError::usage(format!("{text:?} is no size"))
            .hint("write a number and a unit: 100MiB, 2GiB")
    })
}

/// Writes a time in the time zone of this machine.
pub(crate) fn local_time(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system())
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string()
}

/// Writes a duration: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{}.{} s", seconds, time.subsec_millis() / 100),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Writes a count with its noun: `1 disk`, `3 disks`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits_at_least() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(64 << 20), "64.0 MiB");
        assert_eq!(size(1023 << 20), "1023 MiB");
        assert_eq!(size(1 << 40), "1.0 TiB");
        assert_eq!(size(u64::MAX), "16383 PiB");
    }

    #[test]
    fn sizes_are_read_as_they_are_written() {
        let read = |text| parse_size(text).ok();
        assert_eq!(read("512"), Some(512));
        assert_eq!(read("64KiB"), Some(65_536));
        assert_eq!(read("1.5 GiB"), Some(3 << 29));
        assert_eq!(read("2g"), Some(2 << 30));
        assert_eq!(read("100MB"), Some(100_000_000));
        for wrong in ["", "GiB", "-1", "1.2.3", "5 parsecs", "99999999999TiB"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn durations_get_coarser() {
        assert_eq!(duration(Duration::from_millis(450)), "0.4 s");
        assert_eq!(duration(Duration::from_secs(185)), "3 min 05 s");
        assert_eq!(duration(Duration::from_secs(7800)), "2 h 10 min");
    }
}
