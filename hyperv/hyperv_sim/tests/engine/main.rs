//! The simulated host itself: disks, checkpoints, merges, tracking, clock, ledger.
#![expect(clippy::unwrap_used, reason = "tests")]

mod clock;
mod fixture;
mod flat_model;
mod invalidations;
mod kinds;
mod ledger;
mod merges;
mod persistence;
mod rooms;
