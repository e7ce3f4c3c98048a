//! Devices that are added: from embedded instances to changes, and the paths that they will have.

use uuid::Uuid;
use vm_config::{ControllerKind, DiskSlot, Memory, NetworkAdapter};
use wmi::{Instance, ObjectPath};

use super::super::instance_ids::{adapter_id, connection_id, controller_id, drive_id, media_id};
use super::super::object::{Object, Owner};
use super::super::objects::find;
use super::super::view::HostView;
use super::invalid;
use super::parameters::reference;
use super::resource_values::{
    device_of, host_resource, mac_address, memory, processors, switch_name, vm_of,
};
use crate::SimError;
use crate::device_change::DeviceChange;
use crate::host_state::HostState;

const RESOURCE: &str = "Msvm_ResourceAllocationSettingData";
const STORAGE: &str = "Msvm_StorageAllocationSettingData";
const ADAPTER: &str = "Msvm_SyntheticEthernetPortSettingData";
const CONNECTION: &str = "Msvm_EthernetPortAllocationSettingData";

/// A change that makes a device, and the path that it will have.
pub(crate) struct Change {
    pub(crate) change: DeviceChange,
    pub(crate) path: Option<ObjectPath>,
}

pub(crate) fn sub_type(wanted: &Instance) -> String {
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
pub(crate) fn named(
    state: &HostState,
    owner: Owner,
    made: Change,
    controllers: &mut u32,
) -> Change {
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

pub(crate) fn new_drive(
    state: &HostState,
    owner: Owner,
    wanted: &Instance,
) -> Result<Change, SimError> {
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

pub(crate) fn new_disk(
    state: &HostState,
    owner: Owner,
    wanted: &Instance,
) -> Result<Change, SimError> {
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

pub(crate) fn new_connection(
    state: &HostState,
    owner: Owner,
    wanted: &Instance,
) -> Result<Change, SimError> {
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
