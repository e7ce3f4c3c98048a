//! Tries and pauses for a VM that is busy.

use std::time::Duration;

use hyperv_host::Retry;

/// Longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(600);

/// Tries that are left.
#[derive(Debug, Clone)]
pub(crate) struct Tries {
    left: u32,
    pause: Duration,
    waited: Duration,
}

impl Tries {
    /// Begins with the first try.
    pub(crate) fn new(retry: Retry) -> Self {
        Self {
            left: retry.attempts.saturating_sub(1),
            pause: retry.first_wait,
            waited: Duration::ZERO,
        }
    }

    /// Returns how long to wait before the next try; `None` where there is none left.
    pub(crate) fn next_pause(&mut self) -> Option<Duration> {
        self.left = self.left.checked_sub(1)?;
        let pause = self.pause.min(PAUSE_MAX);
        self.pause = self.pause.saturating_mul(2);
        self.waited += pause;
        Some(pause)
    }

    /// Returns how long was waited so far.
    pub(crate) fn waited(&self) -> Duration {
        self.waited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_ten_minutes_and_end() {
        let mut tries = Tries::new(Retry {
            attempts: 4,
            first_wait: Duration::from_secs(200),
        });
        let pauses: Vec<u64> = std::iter::from_fn(|| tries.next_pause())
            .map(|pause| pause.as_secs())
            .collect();
        assert_eq!(pauses, [200, 400, 600]);
        assert_eq!(tries.waited().as_secs(), 1200);
        let retry = Retry {
            attempts: 0,
            first_wait: Duration::ZERO,
        };
        assert_eq!(Tries::new(retry).next_pause(), None);
    }
}
