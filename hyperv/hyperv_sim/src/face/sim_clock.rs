//! The host's clock, as those who wait for it see it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use wmi::Clock;

use crate::SimHost;

/// The host's clock: waiting moves it, and takes no time.
///
/// A host whose folder cannot be read any more stands still; whoever asks it next is told why.
pub struct SimClock {
    host: Arc<SimHost>,
}

impl SimClock {
    /// Makes the clock of a host.
    pub fn new(host: Arc<SimHost>) -> Self {
        Self { host }
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.host
            .look(|state| Ok(state.now))
            .unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn wait(&self, duration: Duration) {
        let _ = self.host.act(|state| state.pass(duration));
    }
}
