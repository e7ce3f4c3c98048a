//! Brings disks and whole VMs back from a restore point.
//!
//! A disk is copied from the repository into a new image; every chunk of it is authenticated and
//! its name computed anew on the way. A VM is a plan first: which files it will make, and what is
//! changed in the configuration. Nothing that exists is ever replaced, the configuration comes
//! last, and what a failed restore made is removed again.
//!
//! # Layout
//!
//! ```text
//!   FOLDER/Virtual Hard Disks/<disk>.vhdx      flattened disks
//!   FOLDER/Virtual Machines/<id>.vmcx …        configuration and state, for Hyper-V's import
//!   FOLDER/Checkpoint files/…                  configurations of checkpoints, to look at
//!   FOLDER/lifeboat-restore.json               which disk was attached where
//! ```
//!
//! The point holds the VM's latest state, flattened, so the checkpoints themselves do not come
//! back; their configurations would name disks that do not exist, and are kept out of the folders
//! that an import reads.

#![forbid(unsafe_code)]

mod disk_restore;
mod error;
mod target_path;
mod vm_plan;
mod vm_restore;

pub use disk_restore::{DiskRestoreReport, restore_disk};
pub use error::RestoreError;
pub use vm_plan::{PlannedFile, VmRestorePlan, plan_vm_restore};
pub use vm_restore::VmRestoreReport;
