//! Integration components (contract 1.5), and what the guest says of itself.

use wmi::{CimType, EmbeddedInstance, Instance};

use super::super::instance_ids::component_id;
use super::super::object::{component_class, component_settings_class};
use super::super::view::HostView;
use crate::guid::guid_text;
use crate::{ComponentKind, Guest, Vm};

pub(crate) fn component(view: HostView<'_>, vm: &Vm, kind: ComponentKind) -> Instance {
    let state = vm.component(kind);
    let class = component_class(kind);
    let (name, german) = match kind {
        ComponentKind::Vss => ("VSS", "VSS"),
        ComponentKind::Shutdown => ("Shutdown", "Herunterfahren"),
        ComponentKind::Heartbeat => ("Heartbeat", "Takt"),
        ComponentKind::KeyValueExchange => (
            "Key-Value Pair Exchange",
            "Austausch von Schlüsselwertepaaren",
        ),
    };
    let name = view.localized(name, german);
    let status = match state.status {
        2 => "OK",
        3 => "Degraded",
        7 => "Non-Recoverable Error",
        12 => "No Contact",
        13 => "Lost Communication",
        _ => "Unknown",
    };
    let mut instance = Instance::new(class)
        .with("Caption", name)
        .with("ElementName", name)
        .with("Name", name)
        .with("SystemCreationClassName", "Msvm_ComputerSystem")
        .with("SystemName", guid_text(vm.id))
        .with("CreationClassName", class)
        .with("DeviceID", component_id(vm.id, kind))
        .with("EnabledState", if state.enabled { 2_u16 } else { 3 })
        .with("RequestedState", 12_u16)
        .with("EnabledDefault", 2_u16)
        .with("HealthState", 5_u16)
        .with("OperationalStatus", vec![state.status])
        .with("StatusDescriptions", vec![status]);
    if kind == ComponentKind::KeyValueExchange {
        let items = if state.answers() {
            said_by(vm)
        } else {
            Vec::new()
        };
        instance.set("GuestIntrinsicExchangeItems", items);
        instance.set("GuestExchangeItems", Vec::<String>::new());
    }
    instance
}

/// The settings of a component: whether it is switched on. Contract: 1.5 \[M\]
pub(crate) fn component_settings(view: HostView<'_>, vm: &Vm, kind: ComponentKind) -> Instance {
    let name = component(view, vm, kind)
        .text("ElementName")
        .unwrap_or_default();
    let enabled = vm.component(kind).enabled;
    Instance::new(component_settings_class(kind))
        .with("Caption", name.as_str())
        .with("ElementName", name.as_str())
        .with("InstanceID", component_id(vm.id, kind))
        .with("EnabledState", if enabled { 2_u16 } else { 3 })
}

/// Lists what a guest says of itself, each an embedded `Msvm_KvpExchangeDataItem`.
fn said_by(vm: &Vm) -> Vec<String> {
    let host = vm.name.to_lowercase().replace(' ', "-");
    let items = match vm.guest {
        Guest::Windows => vec![
            ("FullyQualifiedDomainName", format!("{host}.example.com")),
            ("OSName", "Windows Server 2022 Standard".to_owned()),
            ("OSVersion", "10.0.20348".to_owned()),
            ("OSMajorVersion", "10".to_owned()),
            ("OSPlatformId", "2".to_owned()),
            ("IntegrationServicesVersion", "10.0.20348.1".to_owned()),
            ("NetworkAddressIPv4", "192.0.2.10".to_owned()),
        ],
        Guest::LinuxWithDaemon | Guest::Linux => vec![
            ("FullyQualifiedDomainName", format!("{host}.example.com")),
            ("OSName", "Debian GNU/Linux 12".to_owned()),
            ("OSVersion", "6.1.0-18-amd64".to_owned()),
            ("IntegrationServicesVersion", "3.1".to_owned()),
            ("NetworkAddressIPv4", "192.0.2.20".to_owned()),
        ],
        Guest::None => Vec::new(),
    };
    let written = |(name, data): (&str, String)| {
        EmbeddedInstance::new("Msvm_KvpExchangeDataItem")
            .with("Data", CimType::String, data)
            .with("Name", CimType::String, name)
            .with("Source", CimType::Uint16, 2_u16)
            .to_xml()
    };
    let usual = items
        .into_iter()
        .filter(|(name, _)| !vm.told.contains_key(*name));
    let told = vm.told.iter();
    usual
        .chain(told.map(|(name, data)| (name.as_str(), data.clone())))
        .map(written)
        .collect()
}
