//! Clusters of simulated nodes: what is listed, what moves, what is left, and who was surprised.

#![expect(clippy::unwrap_used, reason = "tests")]

mod calls;
mod lists;
mod moves;
mod moving_session;
mod nodes;
mod odd_resources;
mod power;
mod replicas;
mod restores;
mod run;
#[path = "../scenarios/mod.rs"]
mod scenarios;
mod stage;
