//! Nobody who listens.

use backup_run::{RunEvent, RunObserver};

/// Hears nothing, and stops nothing.
pub(crate) struct Quiet;

impl RunObserver for Quiet {
    fn event(&self, _: RunEvent<'_>) {}
    fn cancelled(&self) -> bool {
        false
    }
}
