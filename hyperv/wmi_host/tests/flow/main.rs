//! Backups of the simulated host: what is read, what is left, and what goes wrong in between.

#![expect(clippy::unwrap_used, reason = "tests")]

mod elsewhere;
mod images;
mod kinds;
mod matrix;
mod meanwhile;
mod odd_writer;
mod ordinary;
mod reasons;
mod residue;
mod run;
mod saved_state;
#[path = "../scenarios/mod.rs"]
mod scenarios;
mod snapshot_sets;
mod stage;
mod traced;
mod trouble;
mod volume_matrix;
mod volume_snapshots;
