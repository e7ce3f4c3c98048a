//! The server against clients that others wrote.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clients;
