//! A reading process that says nothing more is ended.

use std::process::Child;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// How long a process may say nothing: opening a volume with a password may take minutes.
const SILENCE_MAX: Duration = Duration::from_secs(15 * 60);
/// How long once the person asked to stop.
const SILENCE_MAX_INTERRUPTED: Duration = Duration::from_secs(2);
/// How often it is looked at.
const INTERVAL: Duration = Duration::from_millis(100);

/// Says whether the person asked the program to stop.
pub type Interrupted = fn() -> bool;

/// A process that is waited for.
pub(crate) struct Watched {
    child: Mutex<Child>,
    interrupted: Interrupted,
    /// Since when it has been its turn to say something.
    waiting_since: Mutex<Option<Instant>>,
    ended_because: OnceLock<&'static str>,
}

impl Watched {
    /// Takes a process, and watches it for as long as somebody holds what is returned.
    pub(crate) fn new(child: Child, interrupted: Interrupted) -> Arc<Self> {
        let watched = Arc::new(Self {
            child: Mutex::new(child),
            interrupted,
            waiting_since: Mutex::new(None),
            ended_because: OnceLock::new(),
        });
        let weak = Arc::downgrade(&watched);
        // Without a watch, a person ends the program, and with it the process.
        let _ = thread::Builder::new()
            .name("watches-reader".to_owned())
            .spawn(move || watch(&weak));
        watched
    }

    /// Says whether it is the process's turn to say something.
    pub(crate) fn set_waiting(&self, is_waiting: bool) {
        let mut since = self
            .waiting_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *since = is_waiting.then(Instant::now);
    }

    fn end_if_silent(&self) {
        let since = *self
            .waiting_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(silence) = since.map(|since| since.elapsed()) else {
            return;
        };
        let because = if silence > SILENCE_MAX {
            "it said nothing for 15 minutes"
        } else if silence > SILENCE_MAX_INTERRUPTED && (self.interrupted)() {
            "it did not answer when the program was asked to stop"
        } else {
            return;
        };
        let _ = self.ended_because.set(because);
        self.kill();
    }

    /// Ends the process, and says how it ended, where that is known.
    pub(crate) fn end(&self) -> String {
        self.kill();
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let status = child.wait();
        match (self.ended_because.get(), status) {
            (Some(because), _) => format!(" ({because})"),
            (None, Ok(status)) => format!(" ({status})"),
            (None, Err(_)) => String::new(),
        }
    }

    fn kill(&self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        // It may have ended by itself; then there is nothing to kill.
        let _ = child.kill();
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.end();
    }
}

fn watch(watched: &Weak<Watched>) {
    while let Some(watched) = watched.upgrade() {
        watched.end_if_silent();
        drop(watched);
        thread::sleep(INTERVAL);
    }
}
