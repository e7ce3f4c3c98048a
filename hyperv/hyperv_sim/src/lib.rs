//! A Hyper-V host that does not exist.

#![forbid(unsafe_code)]

mod clock;
mod cluster;
mod drive;
mod face;
mod guest;
mod guid;
mod host_state;
mod job;
mod job_work;
mod mounted_image;
mod operations;
mod power_state;
mod profile;
mod reference_point;
mod replication;
mod sim_error;
mod sim_host;
mod sim_options;
mod snapshot;
mod snapshot_settings;
mod vm;
mod vm_disk;
mod vm_spec;
mod volume;
pub mod wsman;

pub use cluster::Cluster;
pub use face::{
    CallCount, Effect, Fault, FaultPlan, FaultPoint, METHODS, SimClock, SimSession, When, WmiCall,
    conflict_text,
};
pub use guest::{Component, ComponentKind, Consistency, Guest};
pub use job::{Job, JobElement, JobFault, JobKind, JobState};
pub use mounted_image::MountedImage;
pub use operations::Changes;
pub use power_state::PowerState;
pub use profile::Profile;
pub use reference_point::{ReferencePoint, ReferencePointDisk};
pub use replication::Replication;
pub use sim_error::{SimError, SimErrorKind};
pub use sim_host::SimHost;
pub use sim_options::{Behavior, SimOptions};
pub use snapshot::{Snapshot, SnapshotDisk, SnapshotKind};
pub use snapshot_settings::SnapshotSettings;
pub use vm::Vm;
pub use vm_disk::{DiskFile, DiskKind, VmDisk};
pub use vm_spec::{DiskContent, DiskSpec, VmSpec};
pub use volume::{Volume, VolumeRoom};
