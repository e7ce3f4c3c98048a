//! Clusters of simulated hosts.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that cannot do its work fails the test"
)]

mod fixture;
mod methods;
mod moves;
mod nodes;
mod ownership;
mod persistence;
mod snapshots;
mod storage;
mod surprises;
