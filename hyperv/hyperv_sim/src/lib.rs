//! A Hyper-V host that does not exist.

#![forbid(unsafe_code)]

mod add_vm;
mod apply_snapshot;
mod attached_images;
mod change_queries;
mod clock;
mod cluster;
mod config_files;
mod create_snapshot;
mod disk_changes;
mod disk_tree;
mod drive;
mod export;
mod face;
mod guest;
mod guest_write;
mod guid;
mod host_api;
mod host_crash;
mod host_folder;
mod host_state;
mod image;
mod job;
mod job_work;
mod ledger;
mod merging;
mod migration;
mod mounted_image;
mod power;
mod power_state;
mod profile;
mod reference_point;
mod reference_points;
mod remove_snapshot;
mod replication;
mod running_jobs;
mod sim_error;
mod sim_host;
mod sim_options;
mod snapshot;
mod snapshot_settings;
mod state_report;
mod tracked_disk;
mod tracking;
mod vm;
mod vm_disk;
mod vm_spec;
mod volume;
mod volume_room;
pub mod wsman;

pub use change_queries::Changes;
pub use cluster::Cluster;
pub use face::{
    CallCount, Effect, FAULT_SYNTAX, Fault, FaultPlan, FaultPoint, METHODS, SimClock, SimSession,
    When, WmiCall, conflict_text,
};
pub use guest::{Component, ComponentKind, Consistency, Guest};
pub use job::{Job, JobElement, JobFault, JobKind, JobState};
pub use ledger::{Ledger, LedgerDifference, LedgerKind};
pub use mounted_image::MountedImage;
pub use power_state::PowerState;
pub use profile::Profile;
pub use reference_point::{ReferencePoint, ReferencePointDisk};
pub use replication::Replication;
pub use sim_error::{SimError, SimErrorKind};
pub use sim_host::SimHost;
pub use sim_options::{Behavior, SimOptions};
pub use snapshot::{Snapshot, SnapshotDisk, SnapshotKind};
pub use snapshot_settings::SnapshotSettings;
pub use state_report::StateReport;
pub use vm::Vm;
pub use vm_disk::{DiskFile, DiskKind, VmDisk};
pub use vm_spec::{DiskContent, DiskSpec, VmSpec};
pub use volume::{Volume, VolumeRoom};
