//! The store against Azurite, and against a server of Google's protocol that is part of the tests.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod google_server;
mod misbehaving;
mod on_azurite;
mod on_google;
