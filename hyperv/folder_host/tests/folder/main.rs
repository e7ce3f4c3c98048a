//! Folders of VMs with real images, as people have them.

#![expect(clippy::unwrap_used, reason = "a helper of tests may panic")]

mod all_checkpoints;
mod fixture;
mod inventory;
mod opening;
mod trouble;
