//! The WS-Man session against hosts that follow a script: what it asks, and what it does when the
//! host is hostile, broken or merely odd.

#![expect(
    clippy::unwrap_used,
    reason = "what fails here fails the test that asked for it"
)]

mod conversation;
mod hostile_answers;
mod hostile_login;
mod lost_connections;
mod over_tls;
mod scripted_host;
