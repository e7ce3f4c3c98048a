//! The repository as a whole, through its public interface.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod changed;
mod changed_cost;
mod collect;
mod counted;
mod crash;
mod damage;
mod differing;
mod domains;
mod golden;
mod golden_all;
mod keys;
mod known_disks;
mod locks;
mod lost_packs;
mod many_points;
mod notes;
mod proving;
mod recorded_store;
mod repair;
mod round_trip;
mod sharing;
mod skipping;
mod support;
mod threats;
mod write_only;
