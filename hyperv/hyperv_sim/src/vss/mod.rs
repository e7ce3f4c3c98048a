//! The Volume Shadow Copy Service of the host, and the writer of Hyper-V.
//!
//! ```text
//!   Prepare    PrepareForBackup
//!   Snapshot   PrepareForSnapshot ─ guests asked, checkpoints made, VMs saved or paused
//!              Freeze ─ volumes copied into DIR/shadows ─ Thaw
//!              recovery on the snapshot: -AutoRecovery.avhdx (2012 R2), the disk itself (2012)
//!              PostSnapshot ─ checkpoints removed and merged, VMs given back as they were found
//!   Complete   BackupComplete
//!   any time   Abort: what the writer holds is given back, snapshots go
//!
//!   PreRestore    VMs are turned off and taken from the host; their disks stay
//!   PostRestore   they are registered from their definition files, and their paths made to fit
//! ```
//!
//! Each line is an operation of its own, so a program may die between any two. A backup has a
//! file, `DIR/vss/<id>`, that its requester keeps locked; the next operation of anybody finds that
//! nobody does, and ends the backup for it.
//!
//! # What comes from where
//!
//! Steps and states: contract 5.1 and 5.2. That the whole writer fails with one VM is documented;
//! that it may also fail partially is a switch ([`crate::Behavior::vss_fails_partially`]).

mod auto_recovery;
mod backup;
mod components;
mod ending;
mod failure;
mod guest_plan;
mod hold;
mod method;
mod post_snapshot;
mod prepare;
mod provider;
mod requester_life;
mod restore;
mod service;
mod session;
mod shadow_copy;
mod sim_restore;
mod snap;
mod snap_volume;
mod strike;
mod writers;

pub(crate) use auto_recovery::is_auto_recovery_file;
pub(crate) use session::VssState;
pub(crate) use shadow_copy::{remove_tree, shadow_folder_of, shadows_folder};

pub use guest_plan::{GuestPlan, GuestWrite};
pub use provider::HardwareProvider;
pub use service::SimVss;
