//! What is kept, and why.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod model;
mod properties;
mod scenarios;
