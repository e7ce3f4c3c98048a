//! A Hyper-V host as backup and restore see it.
//!
//! A host lists its VMs, says what a backup of one would do, and holds one still while it is read.
//! What stands behind it is chosen by the program alone: `folder_host` reads a folder of VM files,
//! `wmi_host` talks to Hyper-V, real or simulated.
//!
//! ```text
//!   inventory ─► VmEntry ─► plan ─► VmPlan                      nothing is touched
//!                   └─────► begin_backup ─► FrozenVm ─► VmSource: disks, changed ranges, files
//! ```
//!
//! A host that VMs can be restored to is a [`RestoreHost`] as well:
//!
//! ```text
//!   target ─► plan ─► disks written ─► import ─► RestoredVm
//! ```
//!
//! Paths of a host's files are texts: a path from a host is never a path of this machine.

#![forbid(unsafe_code)]

mod checkpoint_tree;
mod consistency;
mod error;
mod file_stamps;
mod finding;
mod frozen_vm;
mod full_reason;
mod host;
mod host_settings;
mod image_source;
mod plan;
mod request;
mod restore_host;
mod restore_order;
mod source;
mod stage;
mod target_host;
mod writer_restore;

pub use checkpoint_tree::{CheckpointNode, CheckpointTree, ImageSource, TreeDisk};
pub use consistency::{Consistency, Reached};
pub use error::{HostError, HostErrorKind};
pub use file_stamps::FileStamps;
pub use finding::{Finding, Severity};
pub use frozen_vm::{FrozenVm, Sealed, StepObserver};
pub use full_reason::FullReason;
pub use host::{DiskEntry, DiskKind, HypervHost, Inventory, PowerState, VmEntry};
pub use host_settings::{HostSettings, LiveMigration, NodeSettings};
pub use plan::{BackupMethod, DiskPlan, LeftOut, VmPlan};
pub use request::{
    BackupMode, BackupRequest, GuestBackup, OnMissed, PreviousBackup, PreviousDisk, Retry, Room,
    SavedState, SnapshotSets, UnfreezableDisks,
};
pub use restore_host::{RestoreHost, RestoredVm};
pub use restore_order::{AdapterOrder, Identity, ImportOrder, NewVmOrder, PlacedDisk};
pub use source::{DiskChanges, DiskSource, FileRole, FileSource, VmSource};
pub use stage::Stage;
pub use target_host::{SwitchKind, SwitchSettings, TargetHost, TargetVm, TargetVolume};
pub use writer_restore::{
    WriterFiles, WriterMove, WriterOrder, WriterRecord, WriterRestore, WriterRestoreHost, WriterWay,
};
