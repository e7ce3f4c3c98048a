//! Network adapters, their connections, and the switches that they are connected to (contract 1.4).
//!
//! ```text
//!   switch ── Msvm_SettingsDefineState ── its settings
//!     └── Msvm_SystemDevice ── port ── Msvm_ElementSettingData ── the port's settings
//!                                        HostResource[0]: a physical adapter, or the host itself
//! ```

use uuid::Uuid;
use wmi::{Instance, ObjectPath};

use super::super::instance_ids::{
    adapter_id, connection_id, default_vlan_id, switch_port, switch_port_id, vlan_id,
};
use super::super::object::{Owner, SwitchEnd};
use super::super::view::HostView;
use crate::guid::guid_text;

const ADAPTER: &str = "Msvm_SyntheticEthernetPortSettingData";
const CONNECTION: &str = "Msvm_EthernetPortAllocationSettingData";
const EXTERNAL_PORT: &str = "Msvm_ExternalEthernetPort";
const INTERNAL_PORT: &str = "Msvm_InternalEthernetPort";
const PORT: &str = "Msvm_EthernetSwitchPort";
const SWITCH: &str = "Msvm_VirtualEthernetSwitch";
const VLAN: &str = "Msvm_EthernetSwitchPortVlanSettingData";

pub(crate) fn adapter(view: HostView<'_>, owner: Owner, number: usize) -> Option<Instance> {
    let vm = view.vm(owner.vm)?;
    let adapter = vm.network_adapters.get(number)?;
    let address: String = (adapter.mac_address.chars())
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let device = vm.port(number).id;
    Some(
        Instance::new(ADAPTER)
            .with("InstanceID", adapter_id(owner, device))
            .with("ElementName", adapter.name.as_str())
            .with("ResourceType", 10_u16)
            .with(
                "ResourceSubType",
                "Microsoft:Hyper-V:Synthetic Ethernet Port",
            )
            .with("Address", address.to_ascii_uppercase())
            .with("StaticMacAddress", adapter.mac_is_static)
            .with("ClusterMonitored", true)
            .with(
                "VirtualSystemIdentifiers",
                vec![format!("{{{}}}", guid_text(device))],
            )
            .with("VirtualQuantity", 1_u64),
    )
}

/// Makes the connection of an adapter. One to a switch that is not there has no `HostResource`, and
/// keeps the switch's name. Contract: 1.4 [M]
pub(crate) fn connection(view: HostView<'_>, owner: Owner, number: usize) -> Option<Instance> {
    let vm = view.vm(owner.vm)?;
    let adapter = vm.network_adapters.get(number)?;
    let port = vm.port(number);
    if port.has_no_connection {
        return None;
    }
    let parent = view.instance_path(ADAPTER, &adapter_id(owner, port.id));
    let mut instance = Instance::new(CONNECTION)
        .with("InstanceID", connection_id(owner, port.id))
        .with("ElementName", adapter.name.as_str())
        .with("ResourceType", 33_u16)
        .with("ResourceSubType", "Microsoft:Hyper-V:Ethernet Connection")
        .with("Parent", parent.to_string());
    if adapter.switch_name.is_empty() {
        instance.set("EnabledState", 3_u16);
        if !port.last_known_switch.is_empty() {
            instance.set("LastKnownSwitchName", port.last_known_switch.as_str());
        }
        return Some(instance);
    }
    instance.set("EnabledState", 2_u16);
    if let Some(switch) = view.state.switch_named(&adapter.switch_name) {
        let switch = switch_path(view, switch.id).to_string();
        instance.set("HostResource", vec![switch]);
    }
    instance.set("LastKnownSwitchName", adapter.switch_name.as_str());
    Some(instance)
}

/// Makes the VLAN of a connection; `None`: its port is untagged.
pub(crate) fn port_vlan(view: HostView<'_>, owner: Owner, number: usize) -> Option<Instance> {
    let vm = view.vm(owner.vm)?;
    let vlan = vm.network_adapters.get(number)?.vlan;
    let id = vlan_id(&connection_id(owner, vm.port(number).id));
    vlan.map(|vlan| access_vlan(&id, vlan))
}

/// Makes the VLAN of the host's own port at a switch.
pub(crate) fn host_port_vlan(view: HostView<'_>, switch: Uuid) -> Option<Instance> {
    let vlan = view.state.switch(switch)?.host_port?.vlan?;
    let port = switch_port_id(switch, SwitchEnd::Host);
    Some(access_vlan(&vlan_id(&port), vlan))
}

/// Makes the instance that describes the defaults of VLANs, which clients make theirs of.
pub(crate) fn default_vlan() -> Instance {
    vlan(&default_vlan_id())
        .with("OperationMode", 0_u32)
        .with("AccessVlanId", 0_u16)
}

fn access_vlan(id: &str, tag: u16) -> Instance {
    vlan(id)
        .with("OperationMode", 1_u32)
        .with("AccessVlanId", tag)
}

fn vlan(id: &str) -> Instance {
    Instance::new(VLAN)
        .with("InstanceID", id)
        .with("Caption", "Ethernet Switch Port VLAN Settings")
        .with("ElementName", "Ethernet Switch Port VLAN Settings")
        .with("NativeVlanId", 0_u16)
        .with("PvlanMode", 0_u32)
}

pub(crate) fn switch(view: HostView<'_>, id: Uuid) -> Option<Instance> {
    let switch = view.state.switch(id)?;
    Some(
        Instance::new(SWITCH)
            .with("Caption", "Virtual Switch")
            .with("Description", "Microsoft Virtual Switch")
            .with("ElementName", switch.name)
            .with("CreationClassName", SWITCH)
            .with("Name", guid_text(id))
            .with("EnabledState", 5_u16)
            .with("HealthState", 5_u16)
            .with("OperationalStatus", vec![2_u16]),
    )
}

pub(crate) fn switch_settings(view: HostView<'_>, id: Uuid) -> Option<Instance> {
    let switch = view.state.switch(id)?;
    Some(
        Instance::new("Msvm_VirtualEthernetSwitchSettingData")
            .with("InstanceID", format!("Microsoft:{}", guid_text(id)))
            .with("Caption", "Virtual Ethernet Switch Settings")
            .with(
                "Description",
                "Active settings for the virtual Ethernet switch",
            )
            .with("ElementName", switch.name)
            .with("VirtualSystemIdentifier", guid_text(id))
            .with("Notes", vec![switch.notes])
            .with("IOVPreferred", false)
            .with("BandwidthReservationMode", 0_u32),
    )
}

pub(crate) fn switch_port_of(view: HostView<'_>, id: Uuid, end: SwitchEnd) -> Option<Instance> {
    view.state.switch(id)?;
    Some(
        Instance::new(PORT)
            .with("Caption", "Ethernet Switch Port")
            .with("ElementName", end_name(view, id, end)?)
            .with("CreationClassName", PORT)
            .with("DeviceID", switch_port_id(id, end))
            .with("Name", guid_text(switch_port(id, end)))
            .with("SystemCreationClassName", SWITCH)
            .with("SystemName", guid_text(id))
            .with("EnabledState", 2_u16),
    )
}

/// Makes the settings of a port that leads out of the virtual: to a physical adapter or the host.
pub(crate) fn switch_port_settings(
    view: HostView<'_>,
    id: Uuid,
    end: SwitchEnd,
) -> Option<Instance> {
    let name = end_name(view, id, end)?;
    let leads_to = match end {
        SwitchEnd::Host => host_path(view),
        SwitchEnd::External => external_port_path(view, adapter_of(view, id)?),
    };
    Some(
        Instance::new(CONNECTION)
            .with("InstanceID", switch_port_id(id, end))
            .with("ElementName", name)
            .with("ResourceType", 33_u16)
            .with("ResourceSubType", "Microsoft:Hyper-V:Ethernet Connection")
            .with("HostResource", vec![leads_to.to_string()])
            .with("EnabledState", 2_u16),
    )
}

fn end_name(view: HostView<'_>, id: Uuid, end: SwitchEnd) -> Option<String> {
    let switch = view.state.switch(id)?;
    Some(match end {
        SwitchEnd::Host => switch.name,
        SwitchEnd::External => format!("{}_External", switch.name),
    })
}

/// Returns the physical adapter of an external switch.
fn adapter_of(view: HostView<'_>, switch: Uuid) -> Option<Uuid> {
    let name = view.state.switch(switch)?.adapter?;
    let mut adapters = view.state.facts.physical_adapters.iter();
    adapters.find(|own| own.name == name).map(|own| own.id)
}

pub(crate) fn external_port(view: HostView<'_>, id: Uuid) -> Option<Instance> {
    let adapter = view.state.facts.physical_adapters.iter();
    let adapter = adapter.clone().find(|own| own.id == id)?;
    let mut switches = view.state.facts.switches.iter();
    let is_bound = switches.any(|own| own.adapter.as_ref() == Some(&adapter.name));
    Some(
        device(view, EXTERNAL_PORT, &external_device(id))
            .with("ElementName", adapter.name.as_str())
            .with("Name", adapter.name.as_str())
            .with("IsBound", is_bound)
            .with("PermanentAddress", "0C42A1000001"),
    )
}

pub(crate) fn internal_port(view: HostView<'_>, switch: Uuid) -> Option<Instance> {
    let found = view.state.switch(switch)?;
    found.host_port.as_ref()?;
    let port = guid_text(switch_port(switch, SwitchEnd::Host));
    Some(
        device(view, INTERNAL_PORT, &format!("Microsoft:{port}"))
            .with("ElementName", found.name.as_str())
            .with("Name", found.name.as_str()),
    )
}

fn device(view: HostView<'_>, class: &str, id: &str) -> Instance {
    Instance::new(class)
        .with("CreationClassName", class)
        .with("DeviceID", id)
        .with("SystemCreationClassName", "Msvm_ComputerSystem")
        .with("SystemName", view.host_name())
        .with("EnabledState", 2_u16)
        .with("HealthState", 5_u16)
}

fn external_device(id: Uuid) -> String {
    format!("Microsoft:{{{}}}", guid_text(id))
}

fn external_port_path(view: HostView<'_>, id: Uuid) -> ObjectPath {
    view.path(EXTERNAL_PORT)
        .with_key("CreationClassName", EXTERNAL_PORT)
        .with_key("DeviceID", external_device(id))
        .with_key("SystemCreationClassName", "Msvm_ComputerSystem")
        .with_key("SystemName", view.host_name())
}

fn host_path(view: HostView<'_>) -> ObjectPath {
    view.path("Msvm_ComputerSystem")
        .with_key("CreationClassName", "Msvm_ComputerSystem")
        .with_key("Name", view.host_name())
}

pub(crate) fn switch_path(view: HostView<'_>, id: Uuid) -> ObjectPath {
    view.path(SWITCH)
        .with_key("CreationClassName", SWITCH)
        .with_key("Name", guid_text(id))
}
