//! The failover cluster: `root\MSCluster` (contract 6).

use uuid::Uuid;
use wmi::{CLUSTER, Instance, ObjectPath, Value};

use super::super::view::HostView;
use crate::guid::guid_text;
use crate::{ClusterNode, Role, SharedVolume};

pub(crate) fn cluster(view: HostView<'_>) -> Option<Instance> {
    let cluster = view.cluster()?;
    let in_backup = cluster.volumes.iter().any(|own| !own.backups.is_empty());
    Some(
        Instance::new("MSCluster_Cluster")
            .with("Name", cluster.name.as_str())
            .with("Caption", cluster.name.as_str())
            .with("ClusterFunctionalLevel", cluster.functional_level)
            .with("SharedVolumesRoot", r"C:\ClusterStorage")
            .with("EnableSharedVolumes", 1_u32)
            .with("S2DEnabled", u32::from(cluster.s2d))
            .with("BackupInProgress", u32::from(in_backup)),
    )
}

pub(crate) fn node(view: HostView<'_>, number: usize) -> Option<Instance> {
    let cluster = view.cluster()?;
    let node: &ClusterNode = cluster.nodes.get(number)?;
    let mut version = node.profile.windows_version().split('.');
    let mut part = || version.next().unwrap_or_default().to_owned();
    Some(
        Instance::new("MSCluster_Node")
            .with("Name", node.name.as_str())
            .with("State", node.state.number())
            .with("MajorVersion", number_of(&part()))
            .with("MinorVersion", number_of(&part()))
            .with("BuildNumber", number_of(&part())),
    )
}

fn number_of(text: &str) -> u32 {
    text.parse().unwrap_or(0)
}

pub(crate) fn group(view: HostView<'_>, id: Uuid) -> Option<Instance> {
    let cluster = view.cluster()?;
    let role = cluster.role(id).ok()?;
    Some(
        Instance::new("MSCluster_ResourceGroup")
            .with("Name", role.group.as_str())
            .with("Id", guid_text(id).to_lowercase())
            .with("State", role.state.group_state())
            .with("GroupType", 111_u32)
            .with("OwnerNode", role.owner.as_str()),
    )
}

/// The resource that is the VM.
pub(crate) fn resource(view: HostView<'_>, id: Uuid) -> Option<Instance> {
    let cluster = view.cluster()?;
    let role = cluster.role(id).ok()?;
    let instance = part_of_role(role, &role.resource(), "Virtual Machine");
    Some(instance.with("State", role.state.resource_state()))
}

/// The resource that is the VM's configuration: it stays online when the VM is taken offline.
/// Contract: 6 [M]
pub(crate) fn configuration(view: HostView<'_>, id: Uuid) -> Option<Instance> {
    let cluster = view.cluster()?;
    let role = cluster.role(id).ok()?;
    let name = role.configuration_resource();
    let instance = part_of_role(role, &name, "Virtual Machine Configuration");
    Some(instance.with("State", 2_u32))
}

fn part_of_role(role: &Role, name: &str, kind: &str) -> Instance {
    let private = Instance::new("MSCluster_Property")
        .with("VmID", guid_text(role.vm).to_lowercase())
        .with("VmState", u32::from(role.power.enabled_state()))
        // Going offline saves the VM, unless somebody has set it otherwise. Contract: 6 [M]
        .with("OfflineAction", 1_u32);
    Instance::new("MSCluster_Resource")
        .with("Name", name)
        .with("Type", kind)
        .with("OwnerGroup", role.group.as_str())
        .with("OwnerNode", role.owner.as_str())
        .with("PrivateProperties", Value::Instance(Box::new(private)))
        .with("IsClusterSharedVolume", false)
        .with("CoreResource", false)
}

pub(crate) fn shared_volume(view: HostView<'_>, number: usize) -> Option<Instance> {
    let cluster = view.cluster()?;
    let volume = cluster.volumes.get(number)?;
    Some(
        Instance::new("MSCluster_ClusterSharedVolume")
            .with("Name", volume.mount())
            .with("VolumeName", volume.volume_name())
            .with("VolumeOffset", 0_u64)
            .with("FaultState", volume.fault_state)
            .with("BackupState", u32::from(!volume.backups.is_empty())),
    )
}

/// The resource that is the disk of a shared volume: its owner is the coordinator.
pub(crate) fn volume_resource(view: HostView<'_>, number: usize) -> Option<Instance> {
    let cluster = view.cluster()?;
    let volume: &SharedVolume = cluster.volumes.get(number)?;
    Some(
        Instance::new("MSCluster_Resource")
            .with("Name", volume.disk_resource())
            .with("Type", "Physical Disk")
            .with("State", 2_u32)
            .with("OwnerGroup", "Cluster Shared Volumes")
            .with("OwnerNode", volume.coordinator.as_str())
            .with("IsClusterSharedVolume", true)
            .with("CoreResource", false),
    )
}

/// Which disk a shared volume is on.
pub(crate) fn volume_link(view: HostView<'_>, number: usize) -> Option<Instance> {
    let cluster = view.cluster()?;
    let volume = cluster.volumes.get(number)?;
    let path = |class: &str, name: String| {
        let path = ObjectPath::new(CLUSTER, class).on_host(view.host_name());
        path.with_key("Name", name)
    };
    Some(
        Instance::new("MSCluster_ClusterSharedVolumeToResource")
            .with(
                "GroupComponent",
                path("MSCluster_ClusterSharedVolume", volume.mount()),
            )
            .with(
                "PartComponent",
                path("MSCluster_Resource", volume.disk_resource()),
            ),
    )
}
