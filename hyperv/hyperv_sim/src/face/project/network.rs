//! Network adapters, their connections, and the switches that they are connected to (contract 1.4).

use std::collections::BTreeSet;

use wmi::{Instance, ObjectPath};

use super::super::instance_ids::{adapter_id, connection_id};
use super::super::object::Owner;
use super::super::view::HostView;
use crate::guid::{guid_text, seeded_guid};

const ADAPTER: &str = "Msvm_SyntheticEthernetPortSettingData";
const SWITCH: &str = "Msvm_VirtualEthernetSwitch";

pub(crate) fn adapter(view: HostView<'_>, owner: Owner, number: usize) -> Option<Instance> {
    let adapter = view.vm(owner.vm)?.network_adapters.get(number)?;
    let address: String = (adapter.mac_address.chars())
        .filter(char::is_ascii_alphanumeric)
        .collect();
    Some(
        Instance::new(ADAPTER)
            .with("InstanceID", adapter_id(owner, number))
            .with("ElementName", adapter.name.as_str())
            .with("ResourceType", 10_u16)
            .with(
                "ResourceSubType",
                "Microsoft:Hyper-V:Synthetic Ethernet Port",
            )
            .with("Address", address.to_ascii_uppercase())
            .with("StaticMacAddress", adapter.mac_is_static)
            .with("ClusterMonitored", true)
            .with("VirtualQuantity", 1_u64),
    )
}

pub(crate) fn connection(view: HostView<'_>, owner: Owner, number: usize) -> Option<Instance> {
    let adapter = view.vm(owner.vm)?.network_adapters.get(number)?;
    let parent = view.instance_path(ADAPTER, &adapter_id(owner, number));
    let mut instance = Instance::new("Msvm_EthernetPortAllocationSettingData")
        .with("InstanceID", connection_id(owner, number))
        .with("ElementName", adapter.name.as_str())
        .with("ResourceType", 33_u16)
        .with("ResourceSubType", "Microsoft:Hyper-V:Ethernet Connection")
        .with("Parent", parent.to_string());
    if adapter.switch_name.is_empty() {
        instance.set("EnabledState", 3_u16);
    } else {
        let switch = switch_path(view, &adapter.switch_name);
        instance.set("EnabledState", 2_u16);
        instance.set("HostResource", vec![switch.to_string()]);
        instance.set("LastKnownSwitchName", adapter.switch_name.as_str());
    }
    Some(instance)
}

/// Lists the switches that adapters are connected to, by name.
pub(crate) fn switches(view: HostView<'_>) -> BTreeSet<String> {
    let adapters = view.state.vms.values().flat_map(|vm| &vm.network_adapters);
    adapters
        .map(|adapter| adapter.switch_name.clone())
        .filter(|name| !name.is_empty())
        .collect()
}

pub(crate) fn switch(name: &str) -> Instance {
    Instance::new(SWITCH)
        .with("Caption", "Virtual Switch")
        .with("Description", "Microsoft Virtual Switch")
        .with("ElementName", name)
        .with("CreationClassName", SWITCH)
        .with("Name", switch_name(name))
        .with("EnabledState", 5_u16)
        .with("HealthState", 5_u16)
        .with("OperationalStatus", vec![2_u16])
}

fn switch_path(view: HostView<'_>, name: &str) -> ObjectPath {
    view.path(SWITCH)
        .with_key("CreationClassName", SWITCH)
        .with_key("Name", switch_name(name))
}

/// Returns the GUID of a switch, which is the same wherever its name is.
fn switch_name(name: &str) -> String {
    let mixed = name.bytes().fold(0_u64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    guid_text(seeded_guid(mixed, 0))
}
