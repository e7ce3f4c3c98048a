//! What VMs may be on this host (contract 4.1).

use wmi::Instance;

use super::super::instance_ids::version_settings_id;
use super::super::view::HostView;

/// Makes `Msvm_VirtualSystemManagementCapabilities`, which the settings that it hangs together with
/// say more about.
pub(crate) fn capabilities() -> Instance {
    Instance::new("Msvm_VirtualSystemManagementCapabilities")
        .with(
            "InstanceID",
            "Microsoft:VirtualSystemManagementCapabilities",
        )
        .with("Caption", "Virtual System Management Service Capabilities")
        .with(
            "ElementName",
            "Virtual System Management Service Capabilities",
        )
}

/// Makes the settings that describe a configuration version, or what is behind the last one: those
/// that a new VM gets.
pub(crate) fn version_settings(view: HostView<'_>, number: usize) -> Option<Instance> {
    let versions = view.profile().supported_versions();
    let version = match versions.get(number) {
        Some(version) => Some(*version),
        None if number == versions.len() => None,
        None => return None,
    };
    Some(
        Instance::new("Msvm_VirtualSystemSettingData")
            .with("InstanceID", version_settings_id(version))
            .with("Caption", "Virtual Machine Settings")
            .with("Description", "Default settings for a virtual machine")
            .with("ElementName", "")
            .with("VirtualSystemType", "Microsoft:Hyper-V:System:Definition")
            .with("VirtualSystemSubType", "Microsoft:Hyper-V:SubType:1")
            .with("Version", version.unwrap_or(view.profile().vm_version())),
    )
}
