//! Backups through VSS: the order of events, what snapshots hold, and that nothing is left behind.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

mod order;
mod stage;
