//! Virtual switches: found by name, made (contract 1.4).

use std::fmt::Display;

use hyperv_host::{Finding, HostError, HostErrorKind, SwitchKind, SwitchSettings};
use uuid::Uuid;
use wmi::{
    CimType, EmbeddedInstance, Instance, ObjectPath, VIRTUALIZATION, Value, WmiError, quote,
};

use super::changed_settings::reference_text;
use super::features::set_vlan;
use super::findings;
use crate::backup::link::Link;
use crate::backup::refusal::{is_answer, method_failure};
use crate::facts::is_host_port;
use crate::host_failure::host_failure;

/// `DefineSystem` of switches.
const SWITCH_SERVICE: &str = "Msvm_VirtualEthernetSwitchManagementService";
const CLASS: &str = "Msvm_VirtualEthernetSwitch";

/// Finds the switch of a name: names need not be unique, and the first one counts.
pub(super) fn switch_named(link: &Link, name: &str) -> Result<Option<ObjectPath>, WmiError> {
    let wql = format!("SELECT * FROM {CLASS} WHERE ElementName = {}", quote(name));
    let found = link.patiently(|| link.session.query_all(VIRTUALIZATION, &wql))?;
    let first = found.first();
    first.map(|own| own.object_path(VIRTUALIZATION)).transpose()
}

/// Makes a virtual switch, with the ports that lead to the host and to a network outside.
pub(super) fn create_switch(
    link: &Link,
    computer: &str,
    switch: &SwitchSettings,
) -> Result<Vec<Finding>, HostError> {
    let doing = format!("making the switch {}", switch.name);
    let failed = |error| host_failure(link.host(), &doing, error);
    let there = switch_named(link, &switch.name).map_err(failed)?;
    if there.is_some() {
        let text = format!("{}: there is a switch {} already", link.host(), switch.name);
        return Err(HostError::new(HostErrorKind::Blocked, text));
    }
    let settings = EmbeddedInstance::new("Msvm_VirtualEthernetSwitchSettingData")
        .with("ElementName", CimType::String, switch.name.as_str())
        .with("Notes", CimType::String, vec![switch.notes.as_str()]);
    let ports = ports_of(link, computer, &switch.kind)?;
    let parameters = [
        ("SystemSettings", Value::from(settings.to_xml())),
        ("ResourceSettings", Value::from(ports)),
    ];
    let made = link.call(SWITCH_SERVICE, "DefineSystem", &parameters);
    if let Err(error) = made {
        let there = match is_answer(&error) {
            true => None,
            false => {
                let look = |_| switch_named(link, &switch.name);
                link.look_for(look).map_err(failed)?
            }
        };
        if there.is_none() {
            return Err(method_failure(link.host(), &doing, error));
        }
    }
    Ok(vlan_of_host(link, switch).into_iter().collect())
}

/// Sets the VLAN of the host's own port, which the host makes up with the switch. The switch is
/// there, so that it cannot be set is no failure.
fn vlan_of_host(link: &Link, switch: &SwitchSettings) -> Option<Finding> {
    let vlan = match &switch.kind {
        SwitchKind::Internal { vlan } | SwitchKind::External { vlan, .. } => (*vlan)?,
        SwitchKind::Private => return None,
    };
    let failed = |why: &dyn Display| {
        let name = &switch.name;
        let what = format!("the VLAN {vlan} of the host's own port at the switch {name}");
        let why = format!("{why}; set it with Set-VMNetworkAdapterVlan -ManagementOS");
        Some(findings::not_made(&what, &why))
    };
    let port = match link.look_for(|_| host_port(link, &switch.name)) {
        Ok(Some(port)) => port,
        Ok(None) => return failed(&"the host does not show that port"),
        Err(error) => return failed(&error),
    };
    let set = set_vlan(link, SWITCH_SERVICE, &port, Some(vlan));
    set.err().and_then(|error| failed(&error))
}

/// Finds the port of a switch that leads to its host. Contract: 1.4 [M]
fn host_port(link: &Link, switch: &str) -> Result<Option<Instance>, WmiError> {
    let id = switch_named(link, switch)?;
    let id = id.as_ref().and_then(|path| path.key("Name"));
    let Some(id) = id.and_then(|id| Uuid::parse_str(id).ok()) else {
        return Ok(None);
    };
    let wql = "SELECT * FROM Msvm_EthernetPortAllocationSettingData";
    let ports = link.patiently(|| link.session.query_all(VIRTUALIZATION, wql))?;
    Ok(ports.into_iter().find(|port| is_host_port(port, id)))
}

/// Writes the ports of a new switch: one that leads to an adapter of the host, one to the host
/// itself, or none. Contract: 1.4 [M]
fn ports_of(link: &Link, computer: &str, kind: &SwitchKind) -> Result<Vec<String>, HostError> {
    let (adapter, with_host) = match kind {
        SwitchKind::Private => (None, false),
        SwitchKind::Internal { .. } => (None, true),
        SwitchKind::External {
            adapter,
            shared_with_host,
            ..
        } => (Some(adapter), *shared_with_host),
    };
    let mut ports = Vec::new();
    if let Some(adapter) = adapter {
        let path = external_port(link, adapter)?;
        ports.push(port_to(&reference_text(&path, computer)));
    }
    if with_host {
        let host = ObjectPath::new(VIRTUALIZATION, "Msvm_ComputerSystem")
            .with_key("CreationClassName", "Msvm_ComputerSystem")
            .with_key("Name", computer);
        ports.push(port_to(&reference_text(&host, computer)));
    }
    Ok(ports)
}

fn port_to(target: &str) -> String {
    EmbeddedInstance::new("Msvm_EthernetPortAllocationSettingData")
        .with("ResourceType", CimType::Uint16, 33_u16)
        .with(
            "ResourceSubType",
            CimType::String,
            "Microsoft:Hyper-V:Ethernet Connection",
        )
        .with("HostResource", CimType::String, vec![target])
        .to_xml()
}

/// Finds an adapter of the host by the name that the host shows: `ElementName` is the device's
/// description. Contract: 1.4 [M]
fn external_port(link: &Link, adapter: &str) -> Result<ObjectPath, HostError> {
    let doing = format!("looking for the host's adapter {adapter}");
    let failed = |error| host_failure(link.host(), &doing, error);
    let wql = "SELECT * FROM Msvm_ExternalEthernetPort";
    let ports = link.patiently(|| link.session.query_all(VIRTUALIZATION, wql));
    let ports = ports.map_err(failed)?;
    let is_named = |port: &&Instance| {
        ["ElementName", "Name"].iter().any(|name| {
            let own = port.text(name).unwrap_or_default();
            own.eq_ignore_ascii_case(adapter)
        })
    };
    match ports.iter().find(is_named) {
        Some(port) => port.object_path(VIRTUALIZATION).map_err(failed),
        None => {
            let names: Vec<String> = ports
                .iter()
                .filter_map(|own| own.text("ElementName"))
                .collect();
            let text = format!("the host has no network adapter {adapter}");
            let hint = format!("name one that it has: {}", names.join(", "));
            Err(HostError::new(HostErrorKind::Blocked, text).hint(hint))
        }
    }
}
