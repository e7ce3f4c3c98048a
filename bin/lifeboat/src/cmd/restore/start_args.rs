//! Whether a restored VM runs at the end.

use clap::Args;
use vm_restore::StartPolicy;

/// Whether a restored VM runs at the end.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct StartArgs {
    /// Start the VM when it is back; one that ran, and was turned off for the restore, is started without a word
    #[arg(long, requires = "to")]
    start: bool,
    /// Leave the VM off, also if it ran before
    #[arg(long, requires = "to", conflicts_with = "start")]
    no_start: bool,
}

impl StartArgs {
    /// Returns what is asked.
    pub(super) fn policy(self) -> StartPolicy {
        match (self.start, self.no_start) {
            (true, _) => StartPolicy::Start,
            (false, true) => StartPolicy::StayOff,
            (false, false) => StartPolicy::AsBefore,
        }
    }
}
