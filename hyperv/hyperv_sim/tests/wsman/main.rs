//! The simulated host's WS-Man service, asked by several clients: one written here byte by byte,
//! other people's, ours, and hostile ones.

mod hostile;
mod independent;
mod operations;
mod plain_client;
mod tiny_host;
