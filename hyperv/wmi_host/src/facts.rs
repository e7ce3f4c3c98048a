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
mod cluster_group;
mod disk_facts;
mod guest_facts;
mod guest_network;
mod host_facts;
mod host_settings;
mod host_state;
mod instance_id;
mod raw_vms;
mod reference_point;
mod replication;
mod services;
mod settings_facts;
mod shadow_storage;
mod shared_volume;
mod snapshot_facts;
mod switches;
mod vm_facts;
mod vm_state;
mod volume;
mod windows_version;

pub(crate) use cluster::{
    ClusterFacts, ClusterVm, NodeFacts, NodeState, ResourceState, cluster_vm_resource, cluster_vms,
};
pub(crate) use cluster_group::{ClusterGroup, GroupState, cluster_groups};
pub(crate) use disk_facts::{DiskFacts, controllers, disks, disks_of_settings, parent_of};
pub(crate) use guest_facts::{GuestFacts, GuestService};
pub(crate) use guest_network::with_guest_network;
pub(crate) use host_facts::HostFacts;
pub(crate) use host_settings::read_host_settings;
pub(crate) use host_state::{HostState, read_volumes};
pub(crate) use instance_id::owner_of;
pub(crate) use raw_vms::host_guid;
pub(crate) use reference_point::ReferencePointFacts;
pub(crate) use replication::{REPLICATING, ReplicationFacts, SUSPENDED};
pub(crate) use services::{WindowsService, read_services};
pub(crate) use settings_facts::{CheckpointSetting, ConfigurationVersion, SettingsFacts};
pub(crate) use shadow_storage::{ShadowStorage, read_shadow_storage};
pub(crate) use shared_volume::{SharedVolume, shared_volumes};
pub(crate) use snapshot_facts::{SnapshotFacts, SnapshotKind};
pub(crate) use switches::{is_host_port, read_switches};
pub(crate) use vm_facts::{UnreadVm, VmFacts};
pub(crate) use vm_state::VmOperation;
pub(crate) use volume::{VolumeFacts, volume_of};
pub(crate) use windows_version::WindowsVersion;
