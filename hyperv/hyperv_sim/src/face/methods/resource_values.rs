//! What embedded instances of devices say: values, read and checked.

use uuid::Uuid;
use vm_config::Memory;
use wmi::{Instance, ObjectPath, Value};

use super::super::object::{Object, Owner};
use super::super::objects::find;
use super::super::view::HostView;
use super::invalid;
use crate::device_change::DeviceChange;
use crate::{SimError, Vm};

/// Returns the name of the switch that a path leads to.
pub(crate) fn switch_name(view: HostView<'_>, path: &str) -> Result<String, SimError> {
    let found = ObjectPath::parse(path).and_then(|path| find(view, &path).ok());
    match found {
        Some((Object::Switch(_), own)) => Ok(own.text("ElementName").unwrap_or_default()),
        _ => Err(invalid(format!("{path} is not a virtual switch"))),
    }
}

pub(crate) fn memory(wanted: &Instance, now: &Memory) -> Result<DeviceChange, SimError> {
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

pub(crate) fn processors(wanted: &Instance) -> Result<DeviceChange, SimError> {
    let count = wanted.number::<u32>("VirtualQuantity").unwrap_or(1);
    match count {
        1..=2048 => Ok(DeviceChange::SetProcessors(count)),
        other => Err(invalid(format!("{other} is no number of processors"))),
    }
}

/// Reads an adapter's address; `None`: it is to get a new one.
pub(crate) fn mac_address(wanted: &Instance, is_static: bool) -> Result<Option<String>, SimError> {
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

pub(crate) fn host_resource(wanted: &Instance) -> Option<String> {
    let first = wanted.value("HostResource").items().first();
    first
        .and_then(Value::to_text)
        .filter(|text| !text.is_empty())
}

pub(crate) fn device_of(view: HostView<'_>, owner: Owner, number: usize) -> Result<Uuid, SimError> {
    Ok(vm_of(view, owner)?.port(number).id)
}

pub(crate) fn vm_of(view: HostView<'_>, owner: Owner) -> Result<&Vm, SimError> {
    view.vm(owner.vm)
        .ok_or_else(|| invalid("the machine is gone"))
}
