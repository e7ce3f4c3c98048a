//! The simulated host's WS-Man service, asked by several clients: one written here byte by byte,
//! other people's, ours, and hostile ones.

#![expect(clippy::unwrap_used, reason = "a helper of tests may panic")]

mod hostile;
mod independent;
mod operations;
mod own_client;
mod plain_client;
mod simulated_host;
mod tiny_host;
