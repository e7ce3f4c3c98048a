//! The store against a real server, and against one that misbehaves.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bucket;
mod misbehaving;
mod on_moto;
mod signing;
mod stub;
