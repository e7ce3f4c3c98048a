//! `AddResourceSettings`, `ModifyResourceSettings` and `RemoveResourceSettings`, of VMs and of those
//! that are planned.

use uuid::Uuid;
use wmi::Instance;

use super::super::object::{Object, Owner};
use super::super::objects::find;
use super::super::view::HostView;
use super::new_devices::{named, new_connection, new_device, new_disk, new_drive, sub_type};
use super::parameters::Parameters;
use super::resource_values::{
    device_of, host_resource, mac_address, memory, processors, switch_name, vm_of,
};
use super::{INVALID_STATE, NOT_SUPPORTED, Outcome, invalid};
use crate::device_change::DeviceChange;
use crate::host_state::HostState;
use crate::{JobKind, SimError};

/// `AddResourceSettings`
pub(crate) fn add(state: &mut HostState, parameters: &Parameters<'_>) -> Result<Outcome, SimError> {
    let view = HostView::new(state);
    let vm = parameters.vm_of_settings(view, "AffectedConfiguration")?;
    let owner = Owner { vm, snapshot: None };
    let list = parameters.embedded_list(view, "ResourceSettings")?;
    if list.is_empty() {
        return Err(invalid("ResourceSettings is missing"));
    }
    let mut changes = Vec::new();
    let mut paths = Vec::new();
    let mut controllers = 0;
    for wanted in list {
        let made = match sub_type(&wanted).as_str() {
            "Synthetic Disk Drive" => new_drive(state, owner, &wanted)?,
            "Virtual Hard Disk" => new_disk(state, owner, &wanted)?,
            "Ethernet Connection" => new_connection(state, owner, &wanted)?,
            _ => match new_device(state, &wanted)? {
                Some(made) => named(state, owner, made, &mut controllers),
                None => return Ok(Outcome::Refused(NOT_SUPPORTED)),
            },
        };
        changes.push(made.change);
        paths.extend(made.path);
    }
    let job = state.start_changes(vm, JobKind::AddResources, changes)?;
    let output = Instance::new("__PARAMETERS").with("ResultingResourceSettings", paths);
    Ok(Outcome::StartedWith(job, output))
}

/// `ModifyResourceSettings`: `InstanceID` selects; whole instances or parts of them are sent.
pub(crate) fn modify(
    state: &mut HostState,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let view = HostView::new(state);
    let list = parameters.embedded_list(view, "ResourceSettings")?;
    let mut changes = Vec::new();
    let mut paths = Vec::new();
    let mut vms = Vec::new();
    for wanted in list {
        let id = wanted.text("InstanceID").unwrap_or_default();
        let path = view.instance_path(&wanted.class, &id);
        let (object, own) = find(view, &path).map_err(|error| invalid(error.to_string()))?;
        let Some((owner, made)) = changed_device(view, &object, &own, &wanted)? else {
            return Ok(Outcome::Refused(NOT_SUPPORTED));
        };
        changes.extend(made);
        paths.push(path);
        vms.push(owner.vm);
    }
    vms.dedup();
    let [vm] = vms[..] else {
        return Err(invalid(
            "ResourceSettings is missing, or of several machines",
        ));
    };
    let job = state.start_changes(vm, JobKind::ModifyResources, changes)?;
    let output = Instance::new("__PARAMETERS").with("ResultingResourceSettings", paths);
    Ok(Outcome::StartedWith(job, output))
}

/// `RemoveResourceSettings`
pub(crate) fn remove(
    state: &mut HostState,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let view = HostView::new(state);
    let mut changes = Vec::new();
    let mut vms = Vec::new();
    for object in parameters.objects(view, "ResourceSettings")? {
        let (owner, change) = match object {
            Object::Media(owner, slot) => {
                let snapshot = owner.snapshot;
                (owner, DeviceChange::RemoveDisk { snapshot, slot })
            }
            Object::Drive(owner, slot) => (owner, DeviceChange::RemoveDrive(slot)),
            Object::Adapter(owner, number) => {
                let device = device_of(view, owner, number)?;
                (owner, DeviceChange::RemoveAdapter(device))
            }
            Object::Connection(owner, number) => {
                let device = device_of(view, owner, number)?;
                (owner, DeviceChange::RemoveConnection(device))
            }
            _ => return Ok(Outcome::Refused(NOT_SUPPORTED)),
        };
        if disks_stay(state, owner.vm, &change) {
            return Ok(Outcome::Refused(INVALID_STATE));
        }
        changes.push(change);
        vms.push(owner.vm);
    }
    vms.dedup();
    let [vm] = vms[..] else {
        return Err(invalid(
            "ResourceSettings is missing, or of several machines",
        ));
    };
    let job = state.start_changes(vm, JobKind::RemoveResources, changes)?;
    Ok(Outcome::Started(job))
}

/// Returns whether a planned VM's disks cannot be removed, but only given other paths: one program
/// does remove them, another says that it cannot be done. Contract: 4.1 [V?]
fn disks_stay(state: &HostState, vm: Uuid, change: &DeviceChange) -> bool {
    let is_disk = matches!(
        change,
        DeviceChange::RemoveDisk { .. } | DeviceChange::RemoveDrive(_)
    );
    is_disk && state.facts.planned.contains_key(&vm) && state.facts.behavior.planned_disks_stay
}

/// Returns whose device is changed, and how; `None`: it cannot be changed.
fn changed_device(
    view: HostView<'_>,
    object: &Object,
    own: &Instance,
    wanted: &Instance,
) -> Result<Option<(Owner, Vec<DeviceChange>)>, SimError> {
    let (owner, change) = match object {
        Object::Media(owner, slot) => {
            let path = host_resource(wanted);
            let path = path.filter(|path| own.texts("HostResource").first() != Some(path));
            let change = path.map(|path| DeviceChange::SetPath {
                snapshot: owner.snapshot,
                slot: *slot,
                path,
            });
            (*owner, change)
        }
        Object::Adapter(owner, number) => {
            (*owner, changed_adapter(view, *owner, *number, own, wanted)?)
        }
        Object::Connection(owner, number) => (
            *owner,
            changed_connection(view, *owner, *number, own, wanted)?,
        ),
        Object::Memory(owner) => {
            let memory_now = &vm_of(view, *owner)?.memory;
            (*owner, Some(memory(wanted, memory_now)?))
        }
        Object::Processor(owner) => (*owner, Some(processors(wanted)?)),
        Object::DvdMedia(owner, _)
        | Object::DvdDrive(owner, _)
        | Object::Drive(owner, _)
        | Object::Controller(owner, _)
            if !wanted.has("HostResource")
                || wanted.texts("HostResource") == own.texts("HostResource") =>
        {
            (*owner, None)
        }
        _ => return Ok(None),
    };
    // A checkpoint's own adapters and memory are not told apart from the VM's.
    let is_disk = matches!(change, Some(DeviceChange::SetPath { .. }));
    let change = change.filter(|_| owner.snapshot.is_none() || is_disk);
    Ok(Some((owner, change.into_iter().collect())))
}

fn changed_adapter(
    view: HostView<'_>,
    owner: Owner,
    number: usize,
    own: &Instance,
    wanted: &Instance,
) -> Result<Option<DeviceChange>, SimError> {
    let is_static = match wanted.has("StaticMacAddress") {
        true => wanted.flag("StaticMacAddress"),
        false => own.flag("StaticMacAddress"),
    };
    let address = match wanted.has("Address") {
        true => mac_address(wanted, is_static)?,
        false => own.text("Address"),
    };
    let name = wanted.text("ElementName").or(own.text("ElementName"));
    Ok(Some(DeviceChange::SetAdapter {
        device: device_of(view, owner, number)?,
        name: name.unwrap_or_default(),
        mac_address: address,
        mac_is_static: is_static,
    }))
}

fn changed_connection(
    view: HostView<'_>,
    owner: Owner,
    number: usize,
    own: &Instance,
    wanted: &Instance,
) -> Result<Option<DeviceChange>, SimError> {
    let device = device_of(view, owner, number)?;
    let connect = |switch| Some(DeviceChange::Connect { device, switch });
    let state = wanted.number::<u16>("EnabledState");
    let state = state.or(own.number("EnabledState"));
    let path = match wanted.has("HostResource") {
        true => host_resource(wanted),
        false => own.texts("HostResource").into_iter().next(),
    };
    match (state, path) {
        (Some(3), _) => Ok(connect(None)),
        (_, Some(path)) => Ok(connect(Some(switch_name(view, &path)?))),
        // What leads to a switch that is not there is sent back as it came.
        (_, None) if own.texts("HostResource").is_empty() => Ok(None),
        (_, None) => Ok(connect(None)),
    }
}
