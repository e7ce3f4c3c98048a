//! The repository as a whole, through its public interface.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod crash;
mod damage;
mod golden;
mod keys;
mod round_trip;
mod sharing;
mod support;
