//! The store against ProFTPD.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests; what is skipped is said"
)]

mod breaking;
mod server;
mod storing;
mod trusting;
