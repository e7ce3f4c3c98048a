//! `Msvm_VirtualSystemSettingData` and what hangs on a VM besides its devices (contract 1.2).

use vm_config::DiskSlot;
use wmi::Instance;

use super::super::instance_ids::{cim_time, merge_settings_id, settings_id};
use super::super::object::Owner;
use super::super::view::HostView;
use crate::guid::guid_text;
use crate::{PowerState, Snapshot, Vm};

pub(crate) fn settings(view: HostView<'_>, owner: Owner) -> Option<Instance> {
    let vm = view.vm(owner.vm)?;
    let instance = Instance::new("Msvm_VirtualSystemSettingData")
        .with("InstanceID", settings_id(owner))
        .with(
            "Caption",
            view.localized(
                "Virtual Machine Settings",
                "Einstellungen für virtuelle Computer",
            ),
        )
        .with("VirtualSystemIdentifier", guid_text(vm.id))
        .with("ConfigurationID", guid_text(owner.guid()))
        .with("ConfigurationDataRoot", configuration_root(vm, owner))
        .with("SnapshotDataRoot", vm.snapshot_root())
        .with("SuspendDataRoot", root(&vm.data_roots.suspend, vm))
        .with("SwapFileDataRoot", root(&vm.data_roots.swap_file, vm))
        .with("LogDataRoot", vm.config_root.as_str())
        .with(
            "VirtualSystemSubType",
            format!("Microsoft:Hyper-V:SubType:{}", vm.generation),
        )
        .with("Version", vm.version.as_str())
        .with("Notes", vec![vm.notes.as_str()])
        .with("UserSnapshotType", vm.user_snapshot_type)
        .with("AutomaticSnapshotsEnabled", vm.automatic_snapshots)
        .with("AutomaticStartupAction", 3_u16)
        .with("AutomaticShutdownAction", 3_u16)
        .with("AutomaticRecoveryAction", 3_u16)
        .with("IncrementalBackupEnabled", true)
        .with("VirtualNumaEnabled", true)
        .with("SecureBootEnabled", vm.secure_boot)
        .with(
            "SecureBootTemplateId",
            vm.secure_boot_template.map(guid_text).unwrap_or_default(),
        )
        .with("BIOSGUID", format!("{{{}}}", guid_text(vm.id)))
        .with("EnhancedSessionTransportType", 0_u16);
    if owner.snapshot.is_some() {
        let snapshot = view.snapshot_of(vm, owner)?;
        Some(of_snapshot(view, vm, snapshot, instance))
    } else {
        Some(active(view, vm, instance))
    }
}

fn root<'a>(own: &'a Option<String>, vm: &'a Vm) -> &'a str {
    own.as_deref().unwrap_or(&vm.config_root)
}

/// Returns the folder that `ConfigurationFile` is relative to. That a checkpoint's is the folder of
/// checkpoints is a guess, where both are not the same. Contract: 1.2 [M]
fn configuration_root(vm: &Vm, owner: Owner) -> &str {
    match owner.snapshot {
        Some(_) => vm.snapshot_root(),
        None => &vm.config_root,
    }
}

fn active(view: HostView<'_>, vm: &Vm, instance: Instance) -> Instance {
    let instance = instance
        .with(
            "Description",
            view.localized(
                "Active settings for the virtual machine",
                "Aktive Einstellungen für den virtuellen Computer",
            ),
        )
        .with("ElementName", vm.name.as_str())
        .with(
            "VirtualSystemType",
            match view.planned(vm.id) {
                Some(_) => "Microsoft:Hyper-V:System:Planned",
                None => "Microsoft:Hyper-V:System:Realized",
            },
        )
        .with("CreationTime", cim_time(vm.created))
        .with("ConfigurationFile", vm.config_file.as_str())
        .with("IsSaved", vm.power == PowerState::Saved)
        .with("IsAutomaticSnapshot", false);
    derived(view, vm, vm.current_parent, &vm.config_file, instance)
}

fn of_snapshot(view: HostView<'_>, vm: &Vm, snapshot: &Snapshot, instance: Instance) -> Instance {
    let instance = instance
        .with(
            "Description",
            view.localized(
                "Snapshot settings for the virtual machine",
                "Momentaufnahmeeinstellungen für den virtuellen Computer",
            ),
        )
        .with("ElementName", snapshot.name.as_str())
        .with(
            "VirtualSystemType",
            match view.planned(vm.id) {
                Some(own) if own.missing.contains(&snapshot.id) => {
                    "Microsoft:Hyper-V:Snapshot:Missing"
                }
                Some(_) => "Microsoft:Hyper-V:Snapshot:Planned",
                None => snapshot.kind.system_type(),
            },
        )
        .with("CreationTime", cim_time(snapshot.created))
        .with("ConfigurationFile", snapshot.config_file.as_str())
        .with("IsSaved", snapshot.has_memory)
        .with("IsAutomaticSnapshot", snapshot.is_automatic);
    derived(view, vm, snapshot.parent, &snapshot.config_file, instance)
}

/// Sets what depends on the parent and on the configuration's name.
fn derived(
    view: HostView<'_>,
    vm: &Vm,
    parent: Option<uuid::Uuid>,
    config_file: &str,
    mut instance: Instance,
) -> Instance {
    if let Some(parent) = parent {
        let owner = Owner {
            vm: vm.id,
            snapshot: Some(parent),
        };
        instance.set("Parent", view.settings_path(owner).to_string());
    }
    if vm.has_tpm {
        let stem = config_file
            .rsplit_once('.')
            .map_or(config_file, |(stem, _)| stem);
        instance.set("GuestStateDataRoot", vm.config_root.as_str());
        instance.set("GuestStateFile", format!("{stem}.vmgs"));
    }
    instance
}

/// Makes the template of export settings (contract 2.4; its id is the one of the VM's settings).
pub(crate) fn export_template(vm: &Vm) -> Instance {
    let owner = Owner {
        vm: vm.id,
        snapshot: None,
    };
    Instance::new("Msvm_VirtualSystemExportSettingData")
        .with("InstanceID", settings_id(owner))
        .with("ElementName", vm.name.as_str())
        .with("CopySnapshotConfiguration", 0_u8)
        .with("CopyVmRuntimeInformation", true)
        .with("CopyVmStorage", true)
        .with("CreateVmExportSubdirectory", true)
        .with("CaptureLiveState", 1_u8)
        .with("BackupIntent", 0_u8)
}

/// Makes `Msvm_DiskMergeSettingData` of a disk (contract 1.6).
pub(crate) fn merge_settings(vm: &Vm, slot: DiskSlot) -> Instance {
    Instance::new("Msvm_DiskMergeSettingData")
        .with("InstanceID", merge_settings_id(vm, slot))
        .with("Caption", "Disk Merge Setting Data")
        .with("Description", "Microsoft Disk Merge Setting Data")
        .with("ElementName", "Disk Merge Setting Data")
        .with("EnabledState", u32::from(vm.merges_enabled))
}
