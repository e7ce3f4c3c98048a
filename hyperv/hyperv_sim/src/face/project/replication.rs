//! `Msvm_ReplicationRelationship` (contract 1.1, appendix A.2).

use wmi::Instance;

use super::super::instance_ids::cim_time;
use super::super::view::HostView;
use crate::Vm;
use crate::guid::guid_text;

pub(crate) fn relationship(view: HostView<'_>, vm: &Vm) -> Instance {
    let (replicated, applied) = vm.replication_times(view.state.now);
    let mut instance = Instance::new("Msvm_ReplicationRelationship")
        .with(
            "InstanceID",
            format!(r"Microsoft:{}\HVR\0", guid_text(vm.id)),
        )
        .with("ElementName", vm.name.as_str())
        .with("ReplicationState", vm.replication.state)
        .with("ReplicationHealth", vm.replication.health)
        .with("FailedOverReplicationType", 0_u16)
        .with("LastReplicationType", 1_u16);
    if let Some(time) = replicated {
        instance.set("LastReplicationTime", cim_time(time));
    }
    // Only who receives logs applies them.
    if let Some(time) = applied.filter(|_| vm.replication.mode != 1) {
        instance.set("LastApplyTime", cim_time(time));
    }
    instance
}
