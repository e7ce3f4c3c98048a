//! The failover cluster: `root\MSCluster` (contract 6).

use uuid::Uuid;
use wmi::{Instance, Value};

use super::super::view::HostView;
use crate::Profile;
use crate::guid::guid_text;

pub(crate) fn cluster(view: HostView<'_>) -> Option<Instance> {
    let cluster = view.state.facts.cluster.as_ref()?;
    let level = functional_level(view.profile());
    Some(
        Instance::new("MSCluster_Cluster")
            .with("Name", cluster.name.as_str())
            .with("Caption", cluster.name.as_str())
            .with(
                "ClusterFunctionalLevel",
                if cluster.is_mixed { level - 1 } else { level },
            )
            .with("SharedVolumesRoot", r"C:\ClusterStorage")
            .with("EnableSharedVolumes", 1_u32)
            .with("S2DEnabled", 0_u32)
            .with("BackupInProgress", 0_u32),
    )
}

/// Returns `ClusterFunctionalLevel` of a cluster whose nodes all run this version. Contract: 6 [M]
fn functional_level(profile: Profile) -> u32 {
    match profile {
        Profile::Server2012R2 => 8,
        Profile::Server2016 => 9,
        Profile::Server2019 => 10,
        Profile::Server2022 => 11,
        Profile::Server2025 => 12,
    }
}

pub(crate) fn node(view: HostView<'_>, number: usize) -> Option<Instance> {
    let name = view.state.facts.cluster.as_ref()?.nodes.get(number)?;
    Some(
        Instance::new("MSCluster_Node")
            .with("Name", name.as_str())
            .with("State", 0_u32),
    )
}

pub(crate) fn group(view: HostView<'_>, id: Uuid) -> Option<Instance> {
    let (vm, node) = view.clustered_vms().find(|(vm, _)| vm.id == id)?;
    Some(
        Instance::new("MSCluster_ResourceGroup")
            .with("Name", vm.name.as_str())
            .with("Id", guid_text(vm.id).to_lowercase())
            .with("State", if vm.power.has_memory() { 0_u32 } else { 1 })
            .with("GroupType", 111_u32)
            .with("OwnerNode", node),
    )
}

pub(crate) fn resource(view: HostView<'_>, id: Uuid) -> Option<Instance> {
    let (vm, node) = view.clustered_vms().find(|(vm, _)| vm.id == id)?;
    let private = Instance::new("MSCluster_Property")
        .with("VmID", guid_text(vm.id).to_lowercase())
        .with("VmState", u32::from(vm.power.enabled_state()));
    Some(
        Instance::new("MSCluster_Resource")
            .with("Name", format!("Virtual Machine {}", vm.name))
            .with("Type", "Virtual Machine")
            .with("State", if vm.power.has_memory() { 2_u32 } else { 3 })
            .with("OwnerGroup", vm.name.as_str())
            .with("OwnerNode", node)
            .with("PrivateProperties", Value::Instance(Box::new(private)))
            .with("IsClusterSharedVolume", false)
            .with("CoreResource", false),
    )
}
