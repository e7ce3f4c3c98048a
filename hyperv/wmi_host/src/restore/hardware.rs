//! Processors and memory of a VM that is made (Appendix A of the contract).

use hyperv_host::HostError;
use vm_config::VmConfiguration;
use wmi::{CimType, Instance, MethodError, ObjectPath, Value};

use super::changed_settings::{Change, changed_resource, modify_resource};
use super::planned_vm::resources_of;
use crate::backup::link::Link;
use crate::backup::refusal::method_failure;
use crate::host_failure::host_failure;

const DOING: &str = "setting processors and memory";

/// Gives a VM processors and memory.
pub(super) fn set_hardware(
    link: &Link,
    settings: &ObjectPath,
    wanted: &VmConfiguration,
) -> Result<(), HostError> {
    let resources = resources_of(link, settings);
    let resources = resources.map_err(|error| host_failure(link.host(), DOING, error))?;
    let failed = |error: MethodError| method_failure(link.host(), DOING, error);
    let of_class = |class: &str| {
        let mut own = resources.iter();
        own.find(|own| own.class.eq_ignore_ascii_case(class))
    };
    if let Some(own) = of_class("Msvm_ProcessorSettingData") {
        let count = u64::from(wanted.processors.max(1));
        set(
            link,
            own,
            vec![("VirtualQuantity", CimType::Uint64, Value::from(count))],
        )
        .map_err(failed)?;
    }
    if let Some(own) = of_class("Msvm_MemorySettingData") {
        set(link, own, memory(wanted)).map_err(failed)?;
    }
    Ok(())
}

fn set(link: &Link, resource: &Instance, changes: Vec<Change<'_>>) -> Result<(), MethodError> {
    modify_resource(link, changed_resource(resource, changes))
}

/// Writes memory: `Reservation` is the least and `Limit` the most of dynamic memory.
fn memory(wanted: &VmConfiguration) -> Vec<Change<'static>> {
    let memory = &wanted.memory;
    let mut changes: Vec<Change<'static>> = vec![(
        "DynamicMemoryEnabled",
        CimType::Boolean,
        Value::from(memory.dynamic),
    )];
    let (least, most) = match memory.dynamic {
        true => (memory.minimum_mib, memory.maximum_mib),
        false => (memory.startup_mib, memory.startup_mib),
    };
    for (name, mib) in [
        ("VirtualQuantity", memory.startup_mib),
        ("Reservation", least),
        ("Limit", most),
    ] {
        // What the configuration does not say stays as the host has it.
        if mib > 0 {
            changes.push((name, CimType::Uint64, Value::from(mib)));
        }
    }
    changes
}
