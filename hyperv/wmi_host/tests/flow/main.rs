//! Backups of the simulated host: what is read, what is left, and what goes wrong in between.

#![expect(clippy::unwrap_used, reason = "tests")]

mod kinds;
mod matrix;
mod ordinary;
mod reasons;
mod residue;
mod run;
mod stage;
mod traced;
mod trouble;
