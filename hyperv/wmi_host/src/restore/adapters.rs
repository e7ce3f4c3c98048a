//! Network adapters: named, addressed, connected (contract 1.4).

use hyperv_host::{AdapterOrder, Finding, HostError};
use wmi::{CimType, EmbeddedInstance, Instance, MethodError, ObjectPath, VIRTUALIZATION, Value};

use super::changed_settings::{
    Change, add_resource, changed_resource, modify_resource, reference_text,
};
use super::features::set_vlan;
use super::findings;
use super::planned_vm::resources_of;
use super::switches::switch_named;
use crate::backup::link::{Link, MANAGEMENT_SERVICE};
use crate::backup::refusal::{is_answer, method_failure};
use crate::facts::parent_of;
use crate::host_failure::host_failure;

const DOING: &str = "setting the network adapters";
const CONNECTED: u16 = 2;
const DISCONNECTED: u16 = 3;

/// Settings whose adapters are to be set.
pub(super) struct Wiring<'a> {
    pub(super) link: &'a Link,
    pub(super) computer: &'a str,
    /// The settings of a VM, planned or not.
    pub(super) settings: &'a ObjectPath,
}

/// Sets the adapters as ordered, adds those that are missing, and takes what is left off the
/// network. What could not be done is told.
pub(super) fn set_adapters(
    wiring: &Wiring<'_>,
    orders: &[AdapterOrder],
) -> Result<Vec<Finding>, HostError> {
    let mut resources = wiring.resources()?;
    let there = adapters(&resources).len();
    for order in orders.iter().skip(there) {
        resources = wiring.add(order)?;
    }
    let all: Vec<&Instance> = resources.iter().collect();
    let mut findings = Vec::new();
    let mut left = adapters(&resources);
    for (adapter, order) in paired(orders, &mut left) {
        wiring.address(adapter, order)?;
        findings.extend(wiring.connect(adapter, order, &all)?);
    }
    for adapter in left {
        if let Some(connection) = connection_of(adapter, &all) {
            wiring.modify(connection, disconnected(connection))?;
        }
    }
    Ok(findings)
}

/// Returns the adapters, in the order in which the host lists them.
fn adapters(resources: &[Instance]) -> Vec<&Instance> {
    let is_adapter = |own: &&Instance| own.number("ResourceType") == Some(10_u16);
    resources.iter().filter(is_adapter).collect()
}

fn connection_of<'a>(adapter: &Instance, resources: &[&'a Instance]) -> Option<&'a Instance> {
    let id = adapter.text("InstanceID")?;
    let is_own = |own: &&&Instance| {
        own.number("ResourceType") == Some(33_u16)
            && parent_of(own, resources)
                .and_then(|parent| parent.text("InstanceID"))
                .is_some_and(|parent| parent.eq_ignore_ascii_case(&id))
    };
    resources.iter().find(is_own).copied()
}

/// Says whether an adapter is the one of an order.
type Fits<'a> = dyn Fn(&Instance, &AdapterOrder) -> bool + 'a;

/// Finds each order's adapter: by its address, else by its name, else in order. What is left stays
/// in `left`. Hosts need not list them in the definition's order. Contract: 1.4 [M]
fn paired<'a, 'o>(
    orders: &'o [AdapterOrder],
    left: &mut Vec<&'a Instance>,
) -> Vec<(&'a Instance, &'o AdapterOrder)> {
    let by_address = |own: &Instance, order: &AdapterOrder| {
        let address = own.text("Address").unwrap_or_default();
        let wanted = order.mac_address.as_deref().map(plain_address);
        wanted.is_some_and(|wanted| wanted == plain_address(&address))
    };
    let by_name = |own: &Instance, order: &AdapterOrder| {
        own.text("ElementName").as_deref() == Some(order.name.as_str())
    };
    let in_order = |_: &Instance, _: &AdapterOrder| true;
    let ways: [&Fits<'_>; 3] = [&by_address, &by_name, &in_order];
    let mut found: Vec<Option<&Instance>> = vec![None; orders.len()];
    for fits in ways {
        for (order, found) in orders.iter().zip(&mut found) {
            if found.is_none()
                && let Some(at) = left.iter().position(|own| fits(own, order))
            {
                *found = Some(left.remove(at));
            }
        }
    }
    let pairs = found.into_iter().zip(orders);
    pairs
        .filter_map(|(own, order)| Some((own?, order)))
        .collect()
}

/// Writes an address as Hyper-V does: 12 digits, upper case.
fn plain_address(address: &str) -> String {
    let digits = address.chars().filter(char::is_ascii_hexdigit);
    digits.collect::<String>().to_ascii_uppercase()
}

fn disconnected(connection: &Instance) -> Vec<Change<'static>> {
    match connection.number("EnabledState") {
        Some(DISCONNECTED) => Vec::new(),
        _ => vec![("EnabledState", CimType::Uint16, Value::from(DISCONNECTED))],
    }
}

impl Wiring<'_> {
    fn failed(&self, error: MethodError) -> HostError {
        method_failure(self.link.host(), DOING, error)
    }

    fn resources(&self) -> Result<Vec<Instance>, HostError> {
        let read = resources_of(self.link, self.settings);
        read.map_err(|error| host_failure(self.link.host(), DOING, error))
    }

    /// Changes a resource, if there is anything to change.
    fn modify(&self, resource: &Instance, changes: Vec<Change<'_>>) -> Result<(), HostError> {
        if changes.is_empty() {
            return Ok(());
        }
        let text = changed_resource(resource, changes);
        modify_resource(self.link, text).map_err(|error| self.failed(error))
    }

    /// Adds an adapter; returns all resources anew.
    fn add(&self, order: &AdapterOrder) -> Result<Vec<Instance>, HostError> {
        let before = adapters(&self.resources()?).len();
        let adapter = EmbeddedInstance::new("Msvm_SyntheticEthernetPortSettingData")
            .with("ElementName", CimType::String, order.name.as_str())
            .with("ResourceType", CimType::Uint16, 10_u16)
            .with(
                "ResourceSubType",
                CimType::String,
                "Microsoft:Hyper-V:Synthetic Ethernet Port",
            );
        self.added(adapter.to_xml(), |resources| {
            (adapters(resources).len() > before).then(|| resources.to_vec())
        })
    }

    fn added<T>(
        &self,
        text: String,
        find: impl Fn(&[Instance]) -> Option<T>,
    ) -> Result<T, HostError> {
        add_resource(self.link, self.settings, text, DOING, find)
    }

    /// Gives an adapter its name and address. One that is to get a new address is sent back without
    /// any. Contract: 1.4 [M]
    fn address(&self, adapter: &Instance, order: &AdapterOrder) -> Result<(), HostError> {
        let mut changes: Vec<Change<'_>> = Vec::new();
        if adapter.text("ElementName").as_deref() != Some(order.name.as_str()) {
            let name = Value::from(order.name.as_str());
            changes.push(("ElementName", CimType::String, name));
        }
        let wanted = order.mac_address.as_deref().map(plain_address);
        let is_static = order.mac_is_static && wanted.is_some();
        let wanted = wanted.unwrap_or_default();
        if plain_address(&adapter.text("Address").unwrap_or_default()) != wanted {
            changes.push(("Address", CimType::String, Value::from(wanted)));
        }
        if adapter.flag("StaticMacAddress") != is_static {
            changes.push(("StaticMacAddress", CimType::Boolean, Value::from(is_static)));
        }
        self.modify(adapter, changes)
    }

    /// Connects an adapter to the switch of its name, or takes it off the network.
    fn connect(
        &self,
        adapter: &Instance,
        order: &AdapterOrder,
        resources: &[&Instance],
    ) -> Result<Vec<Finding>, HostError> {
        let link = self.link;
        let mut findings = Vec::new();
        let switch = match &order.switch {
            Some(name) => {
                let found = switch_named(link, name);
                let found = found.map_err(|error| host_failure(link.host(), DOING, error))?;
                if found.is_none() {
                    findings.push(findings::switch_missing(&order.name, name));
                }
                found
            }
            None => None,
        };
        let connection = match (connection_of(adapter, resources), &switch, order.vlan) {
            (Some(connection), Some(switch), _) => {
                self.modify(connection, self.connected(switch))?;
                connection.clone()
            }
            (Some(connection), None, _) => {
                self.modify(connection, disconnected(connection))?;
                connection.clone()
            }
            // Nothing to say of an adapter that has no connection, and is to have none.
            (None, None, None) => return Ok(findings),
            (None, ..) => self.new_connection(adapter, switch.as_ref())?,
        };
        match set_vlan(link, MANAGEMENT_SERVICE, &connection, order.vlan) {
            Ok(()) => {}
            Err(error) if is_answer(&error) || is_unknown(&error) => {
                findings.push(findings::vlan_not_set(&order.name, order.vlan, &error));
            }
            Err(error) => return Err(self.failed(error)),
        }
        Ok(findings)
    }

    fn connected(&self, switch: &ObjectPath) -> Vec<Change<'static>> {
        let switch = reference_text(switch, self.computer);
        vec![
            ("EnabledState", CimType::Uint16, Value::from(CONNECTED)),
            ("HostResource", CimType::String, Value::from(vec![switch])),
        ]
    }

    /// Adds the connection of an adapter that never had one.
    fn new_connection(
        &self,
        adapter: &Instance,
        switch: Option<&ObjectPath>,
    ) -> Result<Instance, HostError> {
        let parent = adapter.object_path(VIRTUALIZATION);
        let parent = parent.map_err(|error| host_failure(self.link.host(), DOING, error))?;
        let state = if switch.is_some() {
            CONNECTED
        } else {
            DISCONNECTED
        };
        let mut connection = EmbeddedInstance::new("Msvm_EthernetPortAllocationSettingData")
            .with("ResourceType", CimType::Uint16, 33_u16)
            .with(
                "ResourceSubType",
                CimType::String,
                "Microsoft:Hyper-V:Ethernet Connection",
            )
            .with(
                "Parent",
                CimType::String,
                reference_text(&parent, self.computer),
            )
            .with("EnabledState", CimType::Uint16, state);
        if let Some(switch) = switch {
            let switch = reference_text(switch, self.computer);
            connection = connection.with("HostResource", CimType::String, vec![switch]);
        }
        self.added(connection.to_xml(), |resources| {
            let all: Vec<&Instance> = resources.iter().collect();
            connection_of(adapter, &all).cloned()
        })
    }
}

/// Returns whether this version of Hyper-V does not know what was asked for.
fn is_unknown(error: &MethodError) -> bool {
    let MethodError::Wmi { source, .. } = error else {
        return false;
    };
    matches!(
        source.kind(),
        wmi::WmiErrorKind::NoMethod | wmi::WmiErrorKind::NoClass
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(name: &str, address: &str) -> Instance {
        Instance::new("Msvm_SyntheticEthernetPortSettingData")
            .with("ElementName", name)
            .with("Address", address)
    }

    fn order(name: &str, address: Option<&str>) -> AdapterOrder {
        AdapterOrder {
            name: name.to_owned(),
            switch: None,
            mac_address: address.map(str::to_owned),
            mac_is_static: false,
            vlan: None,
        }
    }

    #[test]
    fn adapters_are_found_by_address_then_name_then_order() {
        let there = [
            adapter("a", "00155D000001"),
            adapter("b", "00155D000002"),
            adapter("c", "00155D000003"),
            adapter("d", ""),
        ];
        let orders = [
            order("x", Some("00-15-5d-00-00-02")),
            order("c", None),
            order("y", None),
        ];
        let mut left: Vec<&Instance> = there.iter().collect();
        let pairs = paired(&orders, &mut left);
        let name = |own: &Instance| own.text("ElementName").unwrap();
        let told: Vec<_> = pairs
            .iter()
            .map(|(own, order)| (name(own), order.name.as_str()))
            .collect();
        let expected = [("b", "x"), ("c", "c"), ("a", "y")];
        assert_eq!(told, expected.map(|(own, order)| (own.to_owned(), order)));
        assert_eq!(left.into_iter().map(name).collect::<Vec<_>>(), ["d"]);
    }
}
