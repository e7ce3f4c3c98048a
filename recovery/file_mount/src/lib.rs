//! Restore points mounted as folders: FUSE on Linux, read-only.
//!
//! ```text
//!   programs ── kernel ── /dev/fuse ──► threads ── NodeTable ──► FileView (file_view)
//!                 └── keeps names, attributes and content: a restore point never changes
//!
//!   sh ── waits for this process to die ──► fusermount3 -u
//! ```
//!
//! No driver reads the guest's disks: the kernel asks this process for names and bytes, and this
//! process has them from the confined one. So a hostile disk meets no code of the kernel beside what
//! serves every FUSE file system.
//!
//! # Who may read
//!
//! Whoever mounted, and nobody else, root neither (unless root mounted): the kernel sees to that. What
//! the permissions in the guest say does not keep them from reading: taking files out of a backup
//! would be in vain. Everything is shown as theirs, without set-id bits and with `user.` attributes
//! alone, so that a copy with all attributes brings nothing of the guest's rights along. With
//! [`MountOptions::as_in_guest`] owners, bits and attributes are the guest's own.
//!
//! The mount is `ro`, `nosuid`, `nodev` and `noexec`. Links lead where they say, on this machine.
//!
//! # Bounds
//!
//! The kernel says which nodes it has forgotten; at most [`NODES_MAX`] are remembered for it, and
//! folders of [`LISTED_MAX`] entries together are open. What is beyond that is an error, never the end of
//! a folder.

#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]

mod attributes;
mod face;
mod handles;
mod mount_table;
mod mounted;
mod node_table;
mod undertaker;

pub use handles::LISTED_MAX;
pub use mounted::{MountOptions, Mounted, Told};
pub use node_table::NODES_MAX;
