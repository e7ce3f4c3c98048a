//! VHD, seen from outside the crate.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "this is all test code, on disks of a few MiB"
)]

mod damaged;
mod flat_model;
mod independent_readers;
mod new_files;
mod samples;
