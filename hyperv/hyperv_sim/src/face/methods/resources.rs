//! `AddResourceSettings`, `ModifyResourceSettings` and `RemoveResourceSettings`, of VMs and of those
//! that are planned.

use uuid::Uuid;
use vm_config::{ControllerKind, DiskSlot, Memory, NetworkAdapter};
use wmi::{Instance, ObjectPath, Value};

use super::super::instance_ids::{adapter_id, connection_id, controller_id, drive_id, media_id};
use super::super::object::{Object, Owner};
use super::super::objects::find;
use super::super::view::HostView;
use super::parameters::{Parameters, reference};
use super::{INVALID_STATE, NOT_SUPPORTED, Outcome, invalid};
use crate::device_change::DeviceChange;
use crate::host_state::HostState;
use crate::{JobKind, SimError, Vm};

const RESOURCE: &str = "Msvm_ResourceAllocationSettingData";
const STORAGE: &str = "Msvm_StorageAllocationSettingData";
const ADAPTER: &str = "Msvm_SyntheticEthernetPortSettingData";
const CONNECTION: &str = "Msvm_EthernetPortAllocationSettingData";

/// A change that makes a device, and the path that it will have.
pub(crate) struct Change {
    pub(crate) change: DeviceChange,
    path: Option<ObjectPath>,
}

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

fn sub_type(wanted: &Instance) -> String {
    let kind = wanted.text("ResourceSubType").unwrap_or_default();
    kind.trim_start_matches("Microsoft:Hyper-V:").to_owned()
}

/// Makes the change that adds a device which needs no other; `None`: that cannot be added.
pub(crate) fn new_device(
    state: &mut HostState,
    wanted: &Instance,
) -> Result<Option<Change>, SimError> {
    let change = match sub_type(wanted).as_str() {
        "Synthetic SCSI Controller" => DeviceChange::AddController(state.new_guid()),
        "Synthetic Ethernet Port" => {
            let device = state.new_guid();
            let is_static = wanted.flag("StaticMacAddress");
            let address = match mac_address(wanted, is_static)? {
                Some(address) => address,
                None => state.new_mac_address(),
            };
            let name = wanted.text("ElementName");
            let adapter = NetworkAdapter {
                name: name.unwrap_or_else(|| "Network Adapter".to_owned()),
                mac_address: address,
                mac_is_static: is_static,
                switch_name: String::new(),
                vlan: None,
                addresses: None,
            };
            DeviceChange::AddAdapter { device, adapter }
        }
        _ => match wanted.class.as_str() {
            "Msvm_MemorySettingData" => memory(wanted, &Memory::default())?,
            "Msvm_ProcessorSettingData" => processors(wanted)?,
            _ => return Ok(None),
        },
    };
    Ok(Some(Change { change, path: None }))
}

/// Adds the path that a new device will have.
fn named(state: &HostState, owner: Owner, made: Change, controllers: &mut u32) -> Change {
    let view = HostView::new(state);
    let path = match &made.change {
        DeviceChange::AddController(id) => view.vm(owner.vm).map(|vm| {
            let mut after = vm.clone();
            let there = u32::try_from(vm.scsi_controllers.len()).unwrap_or(0);
            let number = there + *controllers;
            *controllers += 1;
            for _ in there..number {
                after.scsi_controllers.push(Uuid::nil());
            }
            after.scsi_controllers.push(*id);
            let slot = scsi_slot(number, 0);
            view.instance_path(RESOURCE, &controller_id(&after, owner, slot))
        }),
        DeviceChange::AddAdapter { device, .. } => {
            Some(view.instance_path(ADAPTER, &adapter_id(owner, *device)))
        }
        _ => None,
    };
    Change { path, ..made }
}

fn scsi_slot(controller: u32, slot: u32) -> DiskSlot {
    DiskSlot {
        kind: ControllerKind::Scsi,
        controller,
        slot,
    }
}

/// Finds the object that `Parent` names.
fn parent(view: HostView<'_>, owner: Owner, wanted: &Instance) -> Result<Object, SimError> {
    let path = reference(wanted.value("Parent")).ok_or_else(|| invalid("Parent is missing"))?;
    let (object, _) = find(view, &path).map_err(|error| invalid(format!("Parent: {error}")))?;
    match object {
        Object::Controller(own, _) | Object::Drive(own, _) | Object::Adapter(own, _)
            if own == owner =>
        {
            Ok(object)
        }
        _ => Err(invalid("Parent is not a device of this machine")),
    }
}

fn new_drive(state: &HostState, owner: Owner, wanted: &Instance) -> Result<Change, SimError> {
    let view = HostView::new(state);
    let Object::Controller(_, slot) = parent(view, owner, wanted)? else {
        return Err(invalid("Parent is not a controller"));
    };
    let vm = vm_of(view, owner)?;
    let most = if slot.kind == ControllerKind::Ide {
        2
    } else {
        64
    };
    let is_free = |slot: &DiskSlot| {
        let is_dvd = view.dvd_slot(vm) == Some(*slot);
        vm.disk(*slot).is_none() && !vm.empty_drives.contains(slot) && !is_dvd
    };
    let place = |place| DiskSlot {
        slot: place,
        ..slot
    };
    let slot = match wanted.number::<u32>("AddressOnParent") {
        Some(wanted) if wanted < most => Some(place(wanted)).filter(is_free),
        Some(_) => None,
        None => (0..most).map(place).find(is_free),
    };
    let slot = slot.ok_or_else(|| invalid("the place on the controller is taken"))?;
    Ok(Change {
        change: DeviceChange::AddDrive(slot),
        path: Some(view.instance_path(RESOURCE, &drive_id(vm, owner, slot))),
    })
}

fn new_disk(state: &HostState, owner: Owner, wanted: &Instance) -> Result<Change, SimError> {
    let view = HostView::new(state);
    let Object::Drive(_, slot) = parent(view, owner, wanted)? else {
        return Err(invalid("Parent is not a drive"));
    };
    let path = host_resource(wanted).ok_or_else(|| invalid("HostResource is missing"))?;
    let vm = vm_of(view, owner)?;
    Ok(Change {
        change: DeviceChange::AddDisk { slot, path },
        path: Some(view.instance_path(STORAGE, &media_id(vm, owner, slot))),
    })
}

fn new_connection(state: &HostState, owner: Owner, wanted: &Instance) -> Result<Change, SimError> {
    let view = HostView::new(state);
    let Object::Adapter(_, number) = parent(view, owner, wanted)? else {
        return Err(invalid("Parent is not a network adapter"));
    };
    let device = device_of(view, owner, number)?;
    let is_off = wanted.number::<u16>("EnabledState") == Some(3);
    let switch = match host_resource(wanted).filter(|_| !is_off) {
        Some(path) => Some(switch_name(view, &path)?),
        None => None,
    };
    Ok(Change {
        change: DeviceChange::Connect { device, switch },
        path: Some(view.instance_path(CONNECTION, &connection_id(owner, device))),
    })
}

/// Returns whose device is changed, and how; `None`: it cannot be changed.
#[expect(
    clippy::type_complexity,
    reason = "an owner and changes, in one place alone"
)]
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

/// Returns the name of the switch that a path leads to.
fn switch_name(view: HostView<'_>, path: &str) -> Result<String, SimError> {
    let found = ObjectPath::parse(path).and_then(|path| find(view, &path).ok());
    match found {
        Some((Object::Switch(_), own)) => Ok(own.text("ElementName").unwrap_or_default()),
        _ => Err(invalid(format!("{path} is not a virtual switch"))),
    }
}

fn memory(wanted: &Instance, now: &Memory) -> Result<DeviceChange, SimError> {
    let startup = wanted.number("VirtualQuantity").unwrap_or(now.startup_mib);
    if startup < 32 {
        return Err(invalid("VirtualQuantity is too little memory"));
    }
    let dynamic = match wanted.has("DynamicMemoryEnabled") {
        true => wanted.flag("DynamicMemoryEnabled"),
        false => now.dynamic,
    };
    let (least, most) = match now.dynamic {
        true => (now.minimum_mib, now.maximum_mib),
        false => (startup, startup),
    };
    Ok(DeviceChange::SetMemory(Memory {
        startup_mib: startup,
        dynamic,
        minimum_mib: wanted.number("Reservation").unwrap_or(least),
        maximum_mib: wanted.number("Limit").unwrap_or(most),
    }))
}

fn processors(wanted: &Instance) -> Result<DeviceChange, SimError> {
    let count = wanted.number::<u32>("VirtualQuantity").unwrap_or(1);
    match count {
        1..=2048 => Ok(DeviceChange::SetProcessors(count)),
        other => Err(invalid(format!("{other} is no number of processors"))),
    }
}

/// Reads an adapter's address; `None`: it is to get a new one.
fn mac_address(wanted: &Instance, is_static: bool) -> Result<Option<String>, SimError> {
    let Some(address) = wanted.text("Address") else {
        return match is_static {
            true => Err(invalid("a static MAC address is missing")),
            false => Ok(None),
        };
    };
    let address: String = address.chars().filter(|own| !"-:".contains(*own)).collect();
    // What an adapter says that has none yet.
    if !is_static && address.chars().all(|own| own == '0') {
        return Ok(None);
    }
    if address.len() != 12 || !address.chars().all(|own| own.is_ascii_hexdigit()) {
        return Err(invalid(format!("{address} is not a MAC address")));
    }
    Ok(Some(address.to_ascii_uppercase()))
}

fn host_resource(wanted: &Instance) -> Option<String> {
    let first = wanted.value("HostResource").items().first();
    first
        .and_then(Value::to_text)
        .filter(|text| !text.is_empty())
}

fn device_of(view: HostView<'_>, owner: Owner, number: usize) -> Result<Uuid, SimError> {
    Ok(vm_of(view, owner)?.port(number).id)
}

fn vm_of(view: HostView<'_>, owner: Owner) -> Result<&Vm, SimError> {
    view.vm(owner.vm)
        .ok_or_else(|| invalid("the machine is gone"))
}
