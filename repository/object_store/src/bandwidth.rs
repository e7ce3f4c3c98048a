//! How many bytes per second may pass, by the time of day.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

/// Most windows that a plan may have: more than one for each quarter of an hour says little.
const MOST_WINDOWS: usize = 96;
const MINUTES_OF_DAY: u16 = 24 * 60;

/// Bytes per second; [`Rate::UNLIMITED`] has no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rate(Option<NonZeroU64>);

impl Rate {
    /// No bound.
    pub const UNLIMITED: Self = Self(None);

    /// Makes a bound; `None` for nothing at all per second, which would be a standstill.
    pub fn bytes_per_second(bytes: u64) -> Option<Self> {
        NonZeroU64::new(bytes).map(|bytes| Self(Some(bytes)))
    }

    /// Returns the bound in bytes per second, where there is one.
    pub fn limit(self) -> Option<NonZeroU64> {
        self.0
    }
}

/// A rate or a plan that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadBandwidth(String);

impl fmt::Display for BadBandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadBandwidth {}

impl FromStr for Rate {
    type Err = BadBandwidth;

    /// Reads `20MiB/s`, `500K`, `1000000` or `unlimited`. Letters stand for powers of 1024 but
    /// where they end in `B` without an `i`.
    fn from_str(text: &str) -> Result<Self, BadBandwidth> {
        let bad = || {
            BadBandwidth(format!(
                "`{text}` is not a rate: write a number and a unit, such as 20MiB/s, or unlimited"
            ))
        };
        let lower = text.trim().to_ascii_lowercase();
        if lower == "unlimited" {
            return Ok(Self::UNLIMITED);
        }
        let amount = lower.strip_suffix("/s").unwrap_or(&lower);
        let digits = amount
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(amount.len());
        let (number, unit) = amount.split_at(digits);
        let unit: u64 = match unit.trim() {
            "" | "b" => 1,
            "k" | "kib" => 1 << 10,
            "m" | "mib" => 1 << 20,
            "g" | "gib" => 1 << 30,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            _ => return Err(bad()),
        };
        let number: u64 = number.parse().map_err(|_| bad())?;
        let bytes = number.checked_mul(unit).ok_or_else(bad)?;
        Self::bytes_per_second(bytes).ok_or_else(bad)
    }
}

/// Which rate holds when.
///
/// Written as `22:00-06:00=unlimited,12:00-13:00=50MiB/s,default=20MiB/s`: the first window that
/// the time of day lies in counts, and `default` (unlimited where it is not given) elsewhere. A
/// window may pass midnight; its end is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BandwidthPlan {
    windows: Vec<Window>,
    default: Option<Rate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    from_minute: u16,
    to_minute: u16,
    rate: Rate,
}

impl Window {
    fn holds(self, minute: u16) -> bool {
        if self.from_minute < self.to_minute {
            (self.from_minute..self.to_minute).contains(&minute)
        } else {
            minute >= self.from_minute || minute < self.to_minute
        }
    }
}

impl BandwidthPlan {
    /// Makes a plan of one rate for all of the day.
    pub fn always(rate: Rate) -> Self {
        Self {
            windows: Vec::new(),
            default: Some(rate),
        }
    }

    /// Returns the plan with `rate` where no window holds, whatever its own default says.
    #[must_use]
    pub fn with_default(mut self, rate: Rate) -> Self {
        self.default = Some(rate);
        self
    }

    /// Returns the rate at a minute of the day.
    pub fn rate_at(&self, minute: u16) -> Rate {
        self.windows
            .iter()
            .find(|window| window.holds(minute))
            .map(|window| window.rate)
            .or(self.default)
            .unwrap_or_default()
    }

    /// Returns whether no minute of the day has a bound.
    pub fn is_unlimited(&self) -> bool {
        (0..MINUTES_OF_DAY).all(|minute| self.rate_at(minute) == Rate::UNLIMITED)
    }
}

impl FromStr for BandwidthPlan {
    type Err = BadBandwidth;

    fn from_str(text: &str) -> Result<Self, BadBandwidth> {
        let mut plan = Self::default();
        for part in text.split(',') {
            let Some((when, rate)) = part.split_once('=') else {
                return Err(BadBandwidth(format!(
                    "`{part}` is not a window: write FROM-TO=RATE, such as 22:00-06:00=unlimited"
                )));
            };
            let rate: Rate = rate.parse()?;
            if when.trim() == "default" {
                if plan.default.replace(rate).is_some() {
                    return Err(BadBandwidth("`default` is given twice".to_owned()));
                }
                continue;
            }
            if plan.windows.len() == MOST_WINDOWS {
                let text = format!("more than {MOST_WINDOWS} windows");
                return Err(BadBandwidth(text));
            }
            let (from_minute, to_minute) = window_times(when)?;
            plan.windows.push(Window {
                from_minute,
                to_minute,
                rate,
            });
        }
        Ok(plan)
    }
}

fn window_times(text: &str) -> Result<(u16, u16), BadBandwidth> {
    let times = text
        .split_once('-')
        .and_then(|(from, to)| Some((minute(from)?, minute(to)?)));
    match times {
        Some((from, to)) if from < MINUTES_OF_DAY && from != to => Ok((from, to)),
        _ => Err(BadBandwidth(format!(
            "`{text}` are not two times of day: write 22:00-06:00"
        ))),
    }
}

/// Reads `00:00` to `24:00`.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let number = |text: &str| {
        let good = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        good.then(|| text.parse::<u16>().ok())?
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let all = hour * 60 + minute;
    (minute < 60 && all <= MINUTES_OF_DAY).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(bytes: u64) -> Rate {
        Rate::bytes_per_second(bytes).unwrap()
    }

    #[test]
    fn rates_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("20MiB/s", 20 << 20),
            ("500k", 500 << 10),
            ("1 GB/s", 1_000_000_000),
            ("123", 123),
        ] {
            assert_eq!(text.parse(), Ok(rate(bytes)), "{text}");
        }
        assert_eq!("unlimited".parse(), Ok(Rate::UNLIMITED));
        for text in [
            "",
            "0",
            "fast",
            "-1",
            "1.5M",
            "20MiB/h",
            "99999999999999999G",
        ] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_window_passes_midnight_and_the_first_that_fits_counts() {
        let plan: BandwidthPlan = "22:00-06:00=unlimited,05:00-07:30=1MiB/s,default=20MiB/s"
            .parse()
            .unwrap();
        let at = |hour: u16, minute: u16| plan.rate_at(hour * 60 + minute);
        assert_eq!(at(21, 59), rate(20 << 20));
        assert_eq!(at(22, 0), Rate::UNLIMITED);
        assert_eq!(at(0, 0), Rate::UNLIMITED);
        assert_eq!(at(5, 59), Rate::UNLIMITED);
        assert_eq!(at(6, 0), rate(1 << 20));
        assert_eq!(at(7, 30), rate(20 << 20));
        assert_eq!(plan.clone().with_default(rate(5)).rate_at(1000), rate(5));
        assert!(!plan.is_unlimited());
        assert!(BandwidthPlan::default().is_unlimited());
        let day: BandwidthPlan = "00:00-24:00=7".parse().unwrap();
        assert!((0..MINUTES_OF_DAY).all(|minute| day.rate_at(minute) == rate(7)));
    }

    #[test]
    fn what_is_not_a_plan_is_refused() {
        for text in [
            "",
            "20MiB/s",
            "22:00=1M",
            "22:00-22:00=1M",
            "24:00-06:00=1M",
            "22:60-23:00=1M",
            "25:00-26:00=1M",
            "+1:00-02:00=1M",
            "default=1M,default=2M",
        ] {
            assert!(text.parse::<BandwidthPlan>().is_err(), "{text}");
        }
    }
}
