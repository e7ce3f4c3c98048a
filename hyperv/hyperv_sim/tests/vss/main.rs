//! Backups through VSS: the order of events, what snapshots hold, and that nothing is left behind.
#![expect(clippy::unwrap_used, reason = "tests")]

mod content;
mod failures;
mod order;
mod refusals;
mod replicas;
mod restores;
mod shared_volumes;
mod stage;
