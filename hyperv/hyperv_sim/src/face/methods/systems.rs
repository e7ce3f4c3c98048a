//! `Msvm_VirtualSystemManagementService`, and what can be asked of a VM itself.

use uuid::Uuid;
use wmi::{Instance, Value};

use super::super::instance_ids::first_guid;
use super::super::object::{Object, Owner};
use super::super::objects::find;
use super::super::view::HostView;
use super::parameters::Parameters;
use super::{NOT_SUPPORTED, Outcome, invalid};
use crate::define_system::SystemChange;
use crate::host_state::HostState;
use crate::{ComponentKind, PowerState, SimError};

/// `ModifySystemSettings`: `InstanceID` selects; the whole instance or a part of it is sent. A name
/// alone is changed at once, the rest by a job.
pub(crate) fn modify_settings(
    state: &mut HostState,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let view = HostView::new(state);
    let class = "Msvm_VirtualSystemSettingData";
    let wanted = parameters
        .embedded(view, "SystemSettings", class)?
        .ok_or_else(|| invalid("SystemSettings is missing"))?;
    let id = wanted
        .text("InstanceID")
        .ok_or_else(|| invalid("InstanceID is missing"))?;
    let found = find(view, &view.instance_path(class, &id));
    let (object, own) = found.map_err(|error| invalid(error.to_string()))?;
    let Object::Settings(owner) = object else {
        return Err(invalid(format!("{id} is not a virtual machine's settings")));
    };
    let is_changed =
        |name: &str, value: &Value| *value != Value::Null && !same(value, own.value(name));
    let changed = wanted.properties();
    let changed = changed.filter(|(name, value)| is_changed(name, value));
    let changed: Vec<&str> = changed.map(|(name, _)| name).collect();
    let is_one_of = |name: &str, names: &[&str]| {
        let mut names = names.iter();
        names.any(|own| own.eq_ignore_ascii_case(name))
    };
    let is_planned = state.facts.planned.contains_key(&owner.vm);
    let only_name = changed.iter().all(|name| is_one_of(name, &["ElementName"]));
    if only_name && !is_planned {
        if let Some(name) = wanted.text("ElementName") {
            match owner {
                Owner {
                    snapshot: Some(snapshot),
                    ..
                } => state.rename_snapshot(snapshot, &name)?,
                Owner { vm, .. } => state.rename_vm(vm, &name)?,
            }
        }
        return Ok(Outcome::Done(Instance::new("__PARAMETERS")));
    }
    let change = system_change(&wanted, Some(&own))?;
    // Guest state lies with the configuration here.
    let guest_root = wanted.text("GuestStateDataRoot");
    let root = wanted.text("ConfigurationDataRoot");
    let is_apart = guest_root.is_some() && guest_root != root.or(own.text("ConfigurationDataRoot"));
    if is_apart
        || owner.snapshot.is_some()
        || changed.iter().any(|name| !is_one_of(name, &SETTABLE))
    {
        return Ok(Outcome::Refused(NOT_SUPPORTED));
    }
    state.modify_system(owner.vm, change).map(Outcome::Started)
}

/// What of a VM's settings can be changed.
const SETTABLE: [&str; 11] = [
    "ElementName",
    "GuestStateDataRoot",
    "Notes",
    "ConfigurationDataRoot",
    "SnapshotDataRoot",
    "SwapFileDataRoot",
    "SuspendDataRoot",
    "SecureBootEnabled",
    "SecureBootTemplateId",
    "UserSnapshotType",
    "AutomaticSnapshotsEnabled",
];

/// Reads what settings change; what is `own` already is no change.
pub(crate) fn system_change(
    wanted: &Instance,
    own: Option<&Instance>,
) -> Result<SystemChange, SimError> {
    let changed = |name: &str| {
        let value = wanted.value(name);
        let is_same = own.is_some_and(|own| same(value, own.value(name)));
        *value != Value::Null && !is_same
    };
    let text = |name: &str| wanted.text(name).filter(|_| changed(name));
    let flag = |name: &str| changed(name).then(|| wanted.flag(name));
    let kind = wanted.number("UserSnapshotType");
    let kind = kind.filter(|_| changed("UserSnapshotType"));
    if kind.is_some_and(|kind| !(2..=5).contains(&kind)) {
        return Err(invalid("UserSnapshotType is none of 2 to 5"));
    }
    let template = text("SecureBootTemplateId").map(|id| Uuid::parse_str(&id));
    let template = template.transpose();
    Ok(SystemChange {
        secure_boot_template: template.map_err(|_| invalid("SecureBootTemplateId is no GUID"))?,
        name: text("ElementName"),
        notes: changed("Notes").then(|| wanted.texts("Notes").join("\n")),
        config_root: text("ConfigurationDataRoot"),
        snapshot_root: text("SnapshotDataRoot"),
        swap_file_root: text("SwapFileDataRoot"),
        suspend_root: text("SuspendDataRoot"),
        secure_boot: flag("SecureBootEnabled"),
        user_snapshot_type: kind,
        automatic_snapshots: flag("AutomaticSnapshotsEnabled"),
    })
}

/// Compares a value that came as text with one that did not.
fn same(text: &Value, own: &Value) -> bool {
    match (text.items(), own.items()) {
        ([], []) => true,
        ([text], [own]) => {
            text.to_text() == own.to_text()
                || (text.to_bool().is_some() && text.to_bool() == own.to_bool())
        }
        (texts, owns) => {
            let texts = texts.iter().map(Value::to_text);
            texts.eq(owns.iter().map(Value::to_text))
        }
    }
}

/// `ModifyDiskMergeSettings`: holds back the merges of a disk's VM, or lets them go on.
pub(crate) fn modify_merging(
    state: &mut HostState,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let view = HostView::new(state);
    let class = "Msvm_DiskMergeSettingData";
    let wanted = parameters
        .embedded(view, "SettingData", class)?
        .ok_or_else(|| invalid("SettingData is missing"))?;
    let id = wanted.text("InstanceID").unwrap_or_default();
    let vm = first_guid(&id).filter(|id| view.vm(*id).is_some());
    let vm = vm.ok_or_else(|| invalid(format!("{id:?} is not a disk's merge settings")))?;
    let enabled = match wanted.number::<u32>("EnabledState") {
        Some(1) => true,
        Some(0) => false,
        _ => return Err(invalid("EnabledState is neither 0 nor 1")),
    };
    state.enable_merges(vm, enabled)?;
    Ok(Outcome::Done(Instance::new("__PARAMETERS")))
}

/// `ExportSystemDefinition`, of the VM as it is or of one checkpoint (contract 2.4).
pub(crate) fn export(
    state: &mut HostState,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let view = HostView::new(state);
    let vm = parameters.vm(view, "ComputerSystem")?;
    let folder = parameters.required_text("ExportDirectory")?;
    let class = "Msvm_VirtualSystemExportSettingData";
    let settings = parameters
        .embedded(view, "ExportSettingData", class)?
        .unwrap_or_default();
    let snapshot = match settings.number::<u8>("CopySnapshotConfiguration") {
        Some(2 | 3) => {
            let path = settings.value("SnapshotVirtualSystem").clone();
            let given = [("SnapshotVirtualSystem", path)];
            let snapshot = Parameters::new(&given).snapshot(view, "SnapshotVirtualSystem")?;
            Some(snapshot)
        }
        _ => None,
    };
    let with_disks = !settings.has("CopyVmStorage") || settings.flag("CopyVmStorage");
    state
        .export(vm, snapshot, &folder, with_disks)
        .map(Outcome::Started)
}

/// `RequestStateChange` of a VM (contract 1.1).
pub(crate) fn change_state(
    state: &mut HostState,
    vm: Uuid,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let wanted = match parameters.required_number::<u16>("RequestedState")? {
        2 => PowerState::Running,
        3 | 4 => PowerState::Off,
        6 => PowerState::Saved,
        9 => PowerState::Paused,
        10 | 11 => {
            state.change_power(vm, PowerState::Off)?;
            PowerState::Running
        }
        other => return Err(invalid(format!("a VM cannot be brought to {other}"))),
    };
    state.change_power(vm, wanted)?;
    Ok(Outcome::Done(Instance::new("__PARAMETERS")))
}

/// `RequestReplicationStateChange` and, with a relationship, `…Ex`: pauses replication of a VM, or
/// lets it go on. Documented for `Msvm_ComputerSystem`; other states than 3 and 7 are refused.
pub(crate) fn change_replication(
    state: &mut HostState,
    vm: Uuid,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let wanted = parameters.required_number::<u16>("RequestedState")?;
    if !matches!(wanted, 1..=4 | 7 | 9) {
        return Err(invalid(format!("there is no replication state {wanted}")));
    }
    state.change_replication(vm, wanted)?;
    Ok(Outcome::Done(Instance::new("__PARAMETERS")))
}

/// `Msvm_ShutdownComponent.InitiateShutdown`; 32780: the guest is not ready.
pub(crate) fn shut_down(state: &mut HostState, vm: Uuid) -> Result<Outcome, SimError> {
    if !state.vm(vm)?.component(ComponentKind::Shutdown).answers() {
        return Ok(Outcome::Refused(32780));
    }
    state.change_power(vm, PowerState::Off)?;
    Ok(Outcome::Done(Instance::new("__PARAMETERS")))
}
