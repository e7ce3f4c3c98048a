//! What the simulated host has and what a backup of it would do, against what it knows of itself.

#![expect(clippy::unwrap_used, reason = "tests")]

mod bench;
mod lists;
mod plans;
