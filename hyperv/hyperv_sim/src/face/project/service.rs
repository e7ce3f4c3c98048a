//! Hyper-V's services, and the settings of the host (contract 1.6).

use uuid::Uuid;
use wmi::Instance;

use super::super::object::SWITCH_SERVICE;
use super::super::view::HostView;
use crate::DEFAULT_DATA_ROOT;
use crate::guid::guid_text;

pub(crate) fn service(view: HostView<'_>, class: &'static str) -> Instance {
    let name = match class {
        "Msvm_VirtualSystemManagementService" => "Hyper-V Virtual System Management Service",
        "Msvm_VirtualSystemSnapshotService" => "Hyper-V Virtual System Snapshot Service",
        "Msvm_VirtualSystemReferencePointService" => {
            "Hyper-V Virtual System Reference Point Service"
        }
        "Msvm_ReplicationService" => "Hyper-V Replica Service",
        SWITCH_SERVICE => "Hyper-V Networking Management Service",
        _ => "Hyper-V Image Management Service",
    };
    // Names are keys: they are the same in every language.
    let key = match class {
        "Msvm_VirtualSystemManagementService" => "vmms",
        "Msvm_VirtualSystemSnapshotService" => "vssnapsvc",
        "Msvm_VirtualSystemReferencePointService" => "vsrefpointsvc",
        "Msvm_ReplicationService" => "replicasvc",
        SWITCH_SERVICE => "nvspwmi",
        _ => "vhdsvc",
    };
    Instance::new(class)
        .with("Caption", name)
        .with("ElementName", name)
        .with("SystemCreationClassName", "Msvm_ComputerSystem")
        .with("SystemName", view.host_name())
        .with("CreationClassName", class)
        .with("Name", key)
        .with("Started", true)
        .with("EnabledState", 2_u16)
        .with("HealthState", 5_u16)
        .with("OperationalStatus", vec![2_u16])
}

pub(crate) fn settings(_view: HostView<'_>) -> Instance {
    let name = "Hyper-V Virtual System Management Service";
    Instance::new("Msvm_VirtualSystemManagementServiceSettingData")
        .with("InstanceID", "Microsoft:host")
        .with("Caption", name)
        .with(
            "Description",
            "Settings for the Virtual System Management Service",
        )
        .with("ElementName", name)
        .with("DefaultExternalDataRoot", DEFAULT_DATA_ROOT)
        .with(
            "DefaultVirtualHardDiskPath",
            r"C:\Hyper-V\Virtual Hard Disks",
        )
        .with("MinimumMacAddress", "00155D010000")
        .with("MaximumMacAddress", "00155D0100FF")
        .with("NumaSpanningEnabled", true)
        .with("PrimaryOwnerName", "Administrators")
        .with("EnhancedSessionModeEnabled", false)
}

/// Makes `Msvm_MountedStorageImage` of an image that is attached to the host (contract 2.7).
pub(crate) fn mounted_image(view: HostView<'_>, id: Uuid) -> Option<Instance> {
    let image = view.state.facts.mounted.iter().find(|own| own.id == id)?;
    Some(
        Instance::new("Msvm_MountedStorageImage")
            .with("InstanceID", guid_text(id))
            .with("Caption", "Mounted Storage Image")
            .with("ElementName", "Mounted Storage Image")
            .with("Name", image.path.as_str())
            .with("OperationalStatus", vec![2_u16])
            .with("HealthState", 5_u16)
            .with("Access", if image.read_only { 1_u16 } else { 3 }),
    )
}
