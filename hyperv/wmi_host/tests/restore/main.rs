//! Restores to the simulated host: what is made, what is left, and what goes wrong in between.

#![expect(clippy::unwrap_used, reason = "tests")]

mod backup;
mod changes;
mod imports;
mod matrix;
mod parts;
mod residue;
#[path = "../flow/run.rs"]
#[expect(dead_code, reason = "shared with the tests of backups")]
mod run;
#[path = "../scenarios/mod.rs"]
mod scenarios;
#[path = "../flow/stage.rs"]
#[expect(dead_code, reason = "shared with the tests of backups")]
mod stage;
mod through_writer;
#[path = "../flow/traced.rs"]
mod traced;
mod typed;
