//! Virtual switches (contract 1.4).
//!
//! ```text
//!   Msvm_VirtualEthernetSwitch             name, GUID
//!   Msvm_VirtualEthernetSwitchSettingData  notes
//!   Msvm_EthernetPortAllocationSettingData its ports: to a physical adapter, to the host
//!   Msvm_EthernetSwitchPortVlanSettingData the VLAN of a port
//! ```

use std::collections::HashMap;

use hyperv_host::{SwitchKind, SwitchSettings};
use uuid::Uuid;
use wmi::{Instance, ObjectPath, VIRTUALIZATION, WmiError, WmiErrorKind, WmiSession};

use super::instance_id::{comparable, owner_of};

/// Classes of a host's physical adapters that a switch can lead to.
const ADAPTERS: [&str; 2] = ["Msvm_ExternalEthernetPort", "Msvm_WiFiPort"];

/// Reads the host's virtual switches, ordered by name: seven calls, whatever their number.
pub(crate) fn read_switches(session: &dyn WmiSession) -> Result<Vec<SwitchSettings>, WmiError> {
    let switches = all(session, "Msvm_VirtualEthernetSwitch")?;
    if switches.is_empty() {
        return Ok(Vec::new());
    }
    let mut adapters = Vec::new();
    for class in ADAPTERS {
        adapters.extend(all(session, class)?);
    }
    let around = Around {
        settings: all(session, "Msvm_VirtualEthernetSwitchSettingData")?,
        ports: all(session, "Msvm_EthernetPortAllocationSettingData")?,
        vlans: vlans(&all(session, "Msvm_EthernetSwitchPortVlanSettingData")?),
        adapters,
    };
    let mut switches: Vec<SwitchSettings> = switches
        .iter()
        .filter_map(|switch| around.switch(switch))
        .collect();
    switches.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
    Ok(switches)
}

/// What belongs to switches, of all of them.
struct Around {
    settings: Vec<Instance>,
    ports: Vec<Instance>,
    /// VLAN ids by the comparable id of their port.
    vlans: HashMap<String, u16>,
    adapters: Vec<Instance>,
}

impl Around {
    fn switch(&self, switch: &Instance) -> Option<SwitchSettings> {
        let name = switch.text("ElementName")?;
        let id = Uuid::parse_str(&switch.text("Name")?).ok()?;
        Some(SwitchSettings {
            name,
            id: id.hyphenated().to_string(),
            kind: self.kind(id),
            notes: self.notes(id),
        })
    }

    /// Returns what a switch leads to, which its ports tell alone.
    fn kind(&self, switch: Uuid) -> SwitchKind {
        let mut adapter = None;
        let mut host_port = None;
        for port in self.ports.iter().filter(|port| is_port_of(port, switch)) {
            match leads_to(port) {
                Some(End::Adapter(path)) => adapter = Some(self.adapter_name(&path)),
                Some(End::Host) => {
                    let id = comparable(&port.text("InstanceID").unwrap_or_default());
                    host_port = Some(self.vlans.get(&id).copied());
                }
                None => {}
            }
        }
        match (adapter, host_port) {
            (Some(adapter), host_port) => SwitchKind::External {
                adapter,
                shared_with_host: host_port.is_some(),
                vlan: host_port.flatten(),
            },
            (None, Some(vlan)) => SwitchKind::Internal { vlan },
            (None, None) => SwitchKind::Private,
        }
    }

    fn notes(&self, switch: Uuid) -> String {
        let of_switch = |settings: &&Instance| settings_owner(settings) == Some(switch);
        let settings = self.settings.iter().find(of_switch);
        settings.map_or_else(String::new, |settings| settings.texts("Notes").join("\n"))
    }

    /// Returns an adapter's name as the host shows it, else its id. Contract: 1.4 [M]
    fn adapter_name(&self, path: &ObjectPath) -> String {
        let device = path.key("DeviceID").unwrap_or_default();
        let named = self.adapters.iter().find(|adapter| {
            adapter
                .text("DeviceID")
                .is_some_and(|id| id.eq_ignore_ascii_case(device))
        });
        named
            .and_then(|adapter| adapter.text("ElementName"))
            .unwrap_or_else(|| device.to_owned())
    }
}

/// What a port of a switch leads to.
enum End {
    Adapter(ObjectPath),
    Host,
}

/// Returns whether a port is the switch's own: its id begins with the switch's GUID, where that of
/// a VM's connection begins with the VM's. Contract: 1.4 [M]
fn is_port_of(port: &Instance, switch: Uuid) -> bool {
    owner_of(&port.text("InstanceID").unwrap_or_default()) == Some(switch)
}

/// Returns what a switch's own port leads to: an external port, or the computer system that is the
/// host. Contract: 1.4 [M]
fn leads_to(port: &Instance) -> Option<End> {
    let path = ObjectPath::parse(&port.texts("HostResource").into_iter().next()?)?;
    let class = path.class();
    if ADAPTERS
        .iter()
        .any(|known| class.eq_ignore_ascii_case(known))
    {
        return Some(End::Adapter(path));
    }
    class
        .eq_ignore_ascii_case("Msvm_ComputerSystem")
        .then_some(End::Host)
}

/// Says whether a port is the one that leads from a switch to its host. Contract: 1.4 [M]
pub(crate) fn is_host_port(port: &Instance, switch: Uuid) -> bool {
    is_port_of(port, switch) && matches!(leads_to(port), Some(End::Host))
}

/// Returns the switch that settings are of: they name its GUID, or carry it in their id.
/// Contract: 1.4 [M]
fn settings_owner(settings: &Instance) -> Option<Uuid> {
    let named = settings.text("VirtualSystemIdentifier");
    named
        .and_then(|id| Uuid::parse_str(&id).ok())
        .or_else(|| owner_of(&settings.text("InstanceID")?))
}

/// Returns the VLAN of each port in access mode, by the id of the port, which the feature's id
/// begins with. Contract: 1.4 [M]
fn vlans(features: &[Instance]) -> HashMap<String, u16> {
    let vlan = |feature: &Instance| {
        let id = comparable(&feature.text("InstanceID")?);
        let (port, _) = id.rsplit_once('\\')?;
        Some((port.to_owned(), vlan_of(feature)?))
    };
    features.iter().filter_map(vlan).collect()
}

/// Returns the VLAN that a port's feature says; `None`: untagged, a trunk or a private VLAN.
pub(super) fn vlan_of(feature: &Instance) -> Option<u16> {
    /// `OperationMode`; 2 is a trunk, 3 a private VLAN.
    const ACCESS: u16 = 1;
    let is_access = feature.number("OperationMode") == Some(ACCESS);
    let vlan = feature.number("AccessVlanId").filter(|_| is_access)?;
    (1..=4094).contains(&vlan).then_some(vlan)
}

/// Reads all of a class; a host that does not have it has none.
fn all(session: &dyn WmiSession, class: &str) -> Result<Vec<Instance>, WmiError> {
    match session.query_all(VIRTUALIZATION, &format!("SELECT * FROM {class}")) {
        Err(error) if error.kind() == WmiErrorKind::NoClass => Ok(Vec::new()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAB: &str = "11111111-2222-3333-4444-555555555555";
    const PORT: &str = r"Microsoft:11111111-2222-3333-4444-555555555555\AAAA";

    fn around(ports: Vec<Instance>) -> Around {
        let vlan = Instance::new("Msvm_EthernetSwitchPortVlanSettingData")
            .with("InstanceID", format!(r"{PORT}\FEATURE"))
            .with("AccessVlanId", 42_u16)
            .with("OperationMode", 1_u16);
        let adapter = Instance::new("Msvm_ExternalEthernetPort")
            .with("DeviceID", "Microsoft:{9}")
            .with("ElementName", "Intel(R) I350 Gigabit");
        let settings = Instance::new("Msvm_VirtualEthernetSwitchSettingData")
            .with("InstanceID", format!("Microsoft:{LAB}"))
            .with("Notes", vec!["for", "tests"]);
        Around {
            settings: vec![settings],
            ports,
            vlans: vlans(&[vlan]),
            adapters: vec![adapter],
        }
    }

    fn port(id: &str, leads_to: &ObjectPath) -> Instance {
        Instance::new("Msvm_EthernetPortAllocationSettingData")
            .with("InstanceID", id)
            .with("HostResource", vec![leads_to.to_string()])
    }

    fn switch(around: &Around) -> SwitchSettings {
        let switch = Instance::new("Msvm_VirtualEthernetSwitch")
            .with("ElementName", "Lab")
            .with("Name", LAB.to_uppercase());
        around.switch(&switch).unwrap()
    }

    #[test]
    fn ports_tell_what_a_switch_leads_to() {
        let host = ObjectPath::new(VIRTUALIZATION, "Msvm_ComputerSystem").with_key("Name", "HV1");
        let adapter = ObjectPath::new(VIRTUALIZATION, "Msvm_ExternalEthernetPort")
            .with_key("DeviceID", "Microsoft:{9}");
        let of_vm = r"Microsoft:99999999-2222-3333-4444-555555555555\BBBB\C";
        let private = switch(&around(vec![port(of_vm, &host)]));
        assert_eq!(private.kind, SwitchKind::Private);
        assert_eq!(
            (private.id.as_str(), private.notes.as_str()),
            (LAB, "for\ntests")
        );
        let internal = switch(&around(vec![port(PORT, &host)]));
        assert_eq!(internal.kind, SwitchKind::Internal { vlan: Some(42) });
        let outside = port(&format!("Microsoft:{LAB}\\CCCC"), &adapter);
        let external = |shared_with_host, vlan| SwitchKind::External {
            adapter: "Intel(R) I350 Gigabit".to_owned(),
            shared_with_host,
            vlan,
        };
        let alone = switch(&around(vec![outside.clone()]));
        assert_eq!(alone.kind, external(false, None));
        let shared = switch(&around(vec![outside, port(PORT, &host)]));
        assert_eq!(shared.kind, external(true, Some(42)));
    }

    #[test]
    fn only_an_access_vlan_is_one() {
        let feature = |mode: u16, vlan: u16| {
            Instance::new("Msvm_EthernetSwitchPortVlanSettingData")
                .with("InstanceID", format!(r"{PORT}\F"))
                .with("OperationMode", mode)
                .with("AccessVlanId", vlan)
        };
        for (mode, vlan, expected) in [(1, 7, 1), (1, 0, 0), (1, 4095, 0), (2, 7, 0), (3, 7, 0)] {
            assert_eq!(
                vlans(&[feature(mode, vlan)]).len(),
                expected,
                "{mode} {vlan}"
            );
        }
    }
}
