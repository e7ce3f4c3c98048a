//! What a host says of itself and of its VMs, in types.
//!
//! ```text
//!   WmiSession ── RawVms: one query for each class ──► VmFacts …
//!                 of the whole host, or of one VM        │
//!   WmiSession ── HostState: Windows, volumes, cluster ──┴──► HostFacts
//! ```
//!
//! The number of queries does not depend on the number of VMs. Facts never change: whoever is
//! about to act reads those of the one VM anew.

mod cluster;
mod disk_facts;
mod guest_facts;
mod host_facts;
mod host_state;
mod instance_id;
mod raw_vms;
mod reference_point;
mod replication;
mod settings_facts;
mod snapshot_facts;
mod vm_facts;
mod vm_state;
mod volume;
mod windows_version;

pub(crate) use cluster::ClusterFacts;
pub(crate) use disk_facts::{DiskFacts, disks_of_settings};
pub(crate) use guest_facts::{GuestFacts, GuestService};
pub(crate) use host_facts::HostFacts;
pub(crate) use host_state::{HostState, read_volumes};
pub(crate) use instance_id::owner_of;
pub(crate) use reference_point::ReferencePointFacts;
pub(crate) use replication::ReplicationFacts;
pub(crate) use settings_facts::{CheckpointSetting, ConfigurationVersion, SettingsFacts};
pub(crate) use snapshot_facts::{SnapshotFacts, SnapshotKind};
pub(crate) use vm_facts::{UnreadVm, VmFacts};
pub(crate) use vm_state::VmOperation;
pub(crate) use volume::{VolumeFacts, volume_of};
pub(crate) use windows_version::WindowsVersion;
