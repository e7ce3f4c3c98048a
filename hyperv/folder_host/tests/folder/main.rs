//! Folders of VMs with real images, as people have them.

#![expect(clippy::unwrap_used, reason = "a helper of tests may panic")]

mod fixture;
mod inventory;
mod opening;
mod trouble;
