//! Time, as waiting for a host needs it.

use std::time::Duration;

use jiff::Timestamp;

/// Time and waiting. The simulated host has one of its own, so that no test waits.
pub trait Clock: Send + Sync {
    /// Returns the time.
    fn now(&self) -> Timestamp;

    /// Returns after `duration`.
    fn wait(&self, duration: Duration);
}

/// The time of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn wait(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}
