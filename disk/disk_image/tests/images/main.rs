//! Images and chains of this machine, seen from outside the crate.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "this is all test code, on disks of a few MiB"
)]

mod chain_model;
mod chains;
mod converting;
mod copying;
mod damaged_links;
mod folder;
mod hosts;
mod outputs;
mod samples;
