//! How a restored VM's network adapters are connected.

use hyperv_host::{AdapterOrder, Finding, Severity, TargetHost};
use vm_config::{NetworkAdapter, VmConfiguration};

use super::request::{HostRestoreRequest, NetworkPolicy};

/// Says how each adapter of a configuration comes back, and what cannot be as it was.
pub(crate) fn adapters(
    configuration: &VmConfiguration,
    target: &TargetHost,
    request: &HostRestoreRequest,
) -> (Vec<AdapterOrder>, Vec<Finding>) {
    let mut findings = Vec::new();
    let orders = configuration.network_adapters.iter().map(|adapter| {
        let mut order = as_it_was(adapter);
        if request.new_mac {
            order.mac_address = None;
            order.mac_is_static = false;
        }
        order.switch = match (request.network, order.switch) {
            (NetworkPolicy::Disconnected, _) | (_, None) => None,
            (NetworkPolicy::Kept, Some(name)) => {
                let wanted = mapped(&name, request);
                let found = switch_of(target, wanted);
                if found.is_none() {
                    findings.push(missing(adapter, &name, wanted, target));
                }
                found
            }
        };
        order
    });
    (orders.collect(), findings)
}

/// Returns how an adapter is, as an order.
pub(crate) fn as_it_was(adapter: &NetworkAdapter) -> AdapterOrder {
    let digits: String = adapter
        .mac_address
        .chars()
        .filter(char::is_ascii_hexdigit)
        .collect();
    let is_one = digits.len() == 12 && digits.bytes().any(|digit| digit != b'0');
    AdapterOrder {
        name: adapter.name.clone(),
        switch: Some(adapter.switch_name.clone()).filter(|name| !name.is_empty()),
        mac_address: is_one.then(|| digits.to_uppercase()),
        mac_is_static: adapter.mac_is_static && is_one,
        vlan: adapter.vlan,
    }
}

/// Returns the switch that stands for one of the point.
fn mapped<'a>(name: &'a str, request: &'a HostRestoreRequest) -> &'a str {
    let mut pairs = request.map_switch.iter();
    let pair = pairs.find(|(from, _)| from.to_lowercase() == name.to_lowercase());
    pair.map_or(name, |(_, to)| to)
}

/// Returns a switch of the host as the host writes its name.
fn switch_of(target: &TargetHost, name: &str) -> Option<String> {
    let mut switches = target.switches.iter();
    let found = switches.find(|switch| switch.name.to_lowercase() == name.to_lowercase());
    found.map(|switch| switch.name.clone())
}

fn missing(adapter: &NetworkAdapter, name: &str, wanted: &str, target: &TargetHost) -> Finding {
    let known: Vec<&str> = target.switches.iter().map(|switch| &*switch.name).collect();
    let known = match known.as_slice() {
        [] => "it has none".to_owned(),
        names => format!("it has {}", names.join(", ")),
    };
    let text = format!(
        "the adapter {:?} was connected to the switch {name:?}, and {} has no switch {wanted:?} \
         ({known}): the adapter comes back without a connection",
        adapter.name, target.computer
    );
    Finding::new("POINT-SWITCH-MISSING", Severity::Warn, text).cure(format!(
        "map it with `--map-switch \"{name}=OTHER\"`, or make the switch first"
    ))
}
