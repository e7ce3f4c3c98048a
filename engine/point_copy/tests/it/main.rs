//! Copies between small repositories.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that cannot do its work fails the test"
)]

mod copying;
mod repositories;
mod resuming;
