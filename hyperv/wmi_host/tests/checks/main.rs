//! What `lifeboat doctor` finds on simulated hosts, and what it can put right.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that cannot do its work fails the test"
)]

mod account;
mod each_kind;
mod fixes;
mod stage;
mod writer;
