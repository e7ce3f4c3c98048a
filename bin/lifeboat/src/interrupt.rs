//! Ctrl-C: the first ends the work cleanly, the second ends the program.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::exit_code::ExitCode;

static ASKED: AtomicBool = AtomicBool::new(false);

/// Listens for Ctrl-C, and for what a service manager sends to end a program.
pub(crate) fn listen() {
    // Without a handler the system's own ends the program: no reason to refuse to work.
    drop(ctrlc::set_handler(|| {
        if ASKED.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(ExitCode::Cancelled.number()));
        }
    }));
}

/// Returns whether the person asked to stop.
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}
