//! Runs, from end to end.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that cannot do its work fails the test"
)]

mod backing_up;
mod on_simulated_host;
mod quiet;
mod repository_in_folder;
