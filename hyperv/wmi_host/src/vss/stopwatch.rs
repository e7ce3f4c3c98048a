//! How long the stages of a freeze take.

use std::sync::Arc;
use std::time::Duration;

use hyperv_host::Stage;
use jiff::Timestamp;
use wmi::Clock;

/// Times stages by the host's clock.
#[derive(Clone)]
pub(super) struct Stopwatch {
    clock: Arc<dyn Clock>,
    began: Timestamp,
    stages: Vec<Stage>,
}

impl Stopwatch {
    /// Begins.
    pub(super) fn start(clock: Arc<dyn Clock>) -> Self {
        Self {
            began: clock.now(),
            clock,
            stages: Vec::new(),
        }
    }

    /// Ends a stage, which began when the last one ended.
    pub(super) fn lap(&mut self, name: &str) -> Duration {
        let now = self.clock.now();
        let duration = now.duration_since(self.began).unsigned_abs();
        self.began = now;
        self.stages.push(Stage {
            name: name.to_owned(),
            duration,
        });
        duration
    }

    /// Returns the stages so far.
    pub(super) fn stages(&self) -> &[Stage] {
        &self.stages
    }
}
