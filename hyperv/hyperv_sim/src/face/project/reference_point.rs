//! `Msvm_VirtualSystemReferencePoint` (contract 2.2).

use uuid::Uuid;
use wmi::Instance;

use super::super::instance_ids::reference_point_id;
use crate::Vm;
use crate::guid::guid_text;

pub(crate) fn reference_point(vm: &Vm, id: Uuid) -> Option<Instance> {
    let point = vm.reference_points.iter().find(|own| own.id == id)?;
    let disks = || point.disks.iter();
    let disk_ids: Vec<&str> = disks().map(|disk| disk.instance_id.as_str()).collect();
    let tracking_ids: Vec<&str> = disks().map(|disk| disk.tracking_id.as_str()).collect();
    Some(
        Instance::new("Msvm_VirtualSystemReferencePoint")
            .with("InstanceID", reference_point_id(point.id))
            .with("ElementName", "Reference Point")
            .with("ReferencePointType", 2_u16)
            .with("ConsistencyLevel", u16::from(point.consistency.number()))
            .with("VirtualSystemIdentifier", guid_text(vm.id))
            .with("HasAssociatedData", false)
            .with("VirtualDiskIdentifiers", disk_ids)
            .with("ResilientChangeTrackingIdentifiers", tracking_ids),
    )
}
