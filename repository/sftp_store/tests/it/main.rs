//! The store against OpenSSH's own server.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests; what is skipped is said"
)]

mod breaking;
mod host_keys;
mod logging_in;
mod server;
mod storing;
