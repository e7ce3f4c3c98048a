//! Containers made by hand: their shape, their replay log, and mutations of them.

#![expect(clippy::unwrap_used, reason = "a helper of tests may panic")]

mod container;
mod mutation;
mod replay_log;
mod shape;
