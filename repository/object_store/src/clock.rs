//! What waiting needs of a clock.

use std::time::{Duration, Instant};

/// A clock that a test can turn by hand.
pub trait Clock: Send + Sync {
    /// Returns the time since a moment that stays the same. It never goes back.
    fn elapsed(&self) -> Duration;

    /// Returns after `duration`.
    fn sleep(&self, duration: Duration);

    /// Returns the minute of the day, 0 to 1439, by the time of day that people here live by.
    fn minute_of_day(&self) -> u16;
}

/// The clock of this machine.
#[derive(Debug, Clone, Copy)]
pub struct OsClock(Instant);

impl OsClock {
    /// Makes a clock that counts from now.
    pub fn new() -> Self {
        Self(Instant::now())
    }
}

impl Default for OsClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for OsClock {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }

    fn minute_of_day(&self) -> u16 {
        let now = jiff::Zoned::now();
        u16::try_from(i32::from(now.hour()) * 60 + i32::from(now.minute())).unwrap_or(0)
    }
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn elapsed(&self) -> Duration {
        (**self).elapsed()
    }

    fn sleep(&self, duration: Duration) {
        (**self).sleep(duration);
    }

    fn minute_of_day(&self) -> u16 {
        (**self).minute_of_day()
    }
}

/// A clock that stands still but for those who sleep by it.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct HandClock {
    elapsed: std::sync::Mutex<Duration>,
    start_minute: u16,
}

#[cfg(test)]
impl HandClock {
    pub(crate) fn starting_at(start_minute: u16) -> Self {
        Self {
            elapsed: std::sync::Mutex::default(),
            start_minute,
        }
    }

    pub(crate) fn turn(&self, duration: Duration) {
        *self.elapsed.lock().unwrap() += duration;
    }
}

#[cfg(test)]
impl Clock for HandClock {
    fn elapsed(&self) -> Duration {
        *self.elapsed.lock().unwrap()
    }

    fn sleep(&self, duration: Duration) {
        self.turn(duration);
    }

    fn minute_of_day(&self) -> u16 {
        let minutes = self.elapsed().as_secs() / 60 + u64::from(self.start_minute);
        u16::try_from(minutes % 1440).unwrap()
    }
}
