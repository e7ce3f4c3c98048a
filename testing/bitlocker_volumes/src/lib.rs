//! Makes BitLocker volumes for tests, by every method, out of the descriptions that the reader names
//! (`encrypted_volumes`), but by code of its own: what it makes is read by dislocker and cryptsetup too.
//!
//! ```text
//!   a volume's bytes ── write(recipe) ──► the same behind BitLocker, with four ways in
//!                    └─ shown ──► what whoever opens it sees: BitLocker's own parts are zeros
//! ```

#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    reason = "a helper of tests that cannot do its work fails the test"
)]

mod ciphers;
mod writer;

pub use writer::{
    METHODS, PASSWORD, RECOVERY_PASSWORD, Recipe, change_copy, change_metadata, places, shown,
    startup_key_file, write,
};
