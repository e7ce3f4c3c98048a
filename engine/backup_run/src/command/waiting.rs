//! How long a command may take, by whose clock.

use std::time::{Duration, Instant};

/// Lets time pass. Tests have one of their own, so none of them waits.
pub(crate) trait Waiting: Sync {
    /// Returns the time.
    fn now(&self) -> Instant;

    /// Returns after `duration`, more or less.
    fn pause(&self, duration: Duration);
}

/// The time of this machine.
pub(crate) struct SystemWaiting;

impl Waiting for SystemWaiting {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn pause(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}
