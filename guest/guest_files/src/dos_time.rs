//! Dates and times of FAT and exFAT.

use crate::Time;

const DAY_SECONDS: i64 = 86_400;

/// Turns a date, a time of 2 seconds and hundredths of up to two seconds into a moment; `None` for a
/// day that no calendar has, such as none at all.
pub(crate) fn moment(date: u16, time: u16, hundredths: u8) -> Option<Time> {
    let (year, month, day) = (1980 + i64::from(date >> 9), date >> 5 & 15, date & 31);
    if !(1..=12).contains(&month) || day == 0 || hundredths > 199 {
        return None;
    }
    let (hours, minutes, seconds) = (time >> 11, time >> 5 & 63, (time & 31) * 2);
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let seconds = i64::from(hours) * 3600 + i64::from(minutes) * 60 + i64::from(seconds);
    Some(Time {
        seconds: days(year, i64::from(month), i64::from(day)) * DAY_SECONDS
            + seconds
            + i64::from(hundredths / 100),
        nanoseconds: u32::from(hundredths % 100) * 10_000_000,
    })
}

/// Days from 1970-01-01, by years that begin in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let from_march = (month + 9) % 12;
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    // From 0000-03-01 to 1970-01-01 it is 719,468 days.
    365 * year + year / 4 - year / 100 + year / 400 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_become_moments() {
        let seconds = |date, time, hundredths| {
            moment(date, time, hundredths).map(|time| (time.seconds, time.nanoseconds))
        };
        // 1980-01-01, and 2024-02-29 23:59:58 and 1.99 seconds.
        assert_eq!(seconds(0x21, 0, 0), Some((315_532_800, 0)));
        let leap = 44 << 9 | 2 << 5 | 29;
        let late = 23 << 11 | 59 << 5 | 29;
        assert_eq!(seconds(leap, late, 199), Some((1_709_251_199, 990_000_000)));
        for wrong in [0, 13 << 5 | 1, 1 << 5] {
            assert_eq!(seconds(wrong, 0, 0), None);
        }
        assert_eq!(seconds(0x21, 0xFFFF, 0), None);
    }
}
