//! VMs of a small repository, restored into folders.

#![expect(clippy::unwrap_used, reason = "a helper of tests may panic")]

mod contents;
mod elsewhere;
mod failures;
mod saved_vm;
mod trees;
