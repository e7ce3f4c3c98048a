//! What a host knows of a VM's network that its configuration file does not say, or not in words
//! that are known: the VLAN of a port, the addresses of the guest (contract 1.4).

use std::collections::HashMap;

use uuid::Uuid;
use vm_config::{GuestAddresses, NetworkAdapter, VmConfiguration};
use wmi::{Instance, VIRTUALIZATION, WmiError, WmiErrorKind, WmiSession, quote};

use super::instance_id::place_of;
use super::raw_vms::host_guid;
use super::switches::vlan_of;

/// Most addresses, gateways and the like that are kept of one adapter.
const TEXTS_MAX: usize = 64;

/// What a host says of an adapter of a VM.
struct Port {
    name: String,
    /// Hexadecimal digits alone.
    mac_address: String,
    /// `Some(None)`: it says that there is none.
    vlan: Option<Option<u16>>,
    addresses: Option<GuestAddresses>,
}

/// Adds to a configuration what the host says of its adapters: four calls. What cannot be read is
/// left as it is, since a backup is whole without it.
pub(crate) fn with_guest_network(
    session: &dyn WmiSession,
    vm: Uuid,
    mut configuration: VmConfiguration,
) -> VmConfiguration {
    if configuration.network_adapters.is_empty() {
        return configuration;
    }
    let Ok(ports) = ports(session, vm) else {
        return configuration;
    };
    let adapters = &configuration.network_adapters;
    let names: Vec<String> = adapters.iter().map(|own| own.name.clone()).collect();
    for adapter in &mut configuration.network_adapters {
        let is_alone = names.iter().filter(|name| **name == adapter.name).count() == 1;
        if let Some(port) = port_of(&ports, adapter, is_alone) {
            adapter.vlan = port.vlan.unwrap_or(adapter.vlan);
            adapter.addresses.clone_from(&port.addresses);
        }
    }
    configuration
}

/// Finds an adapter's port: by its MAC address, else by a name that only it has.
fn port_of<'a>(ports: &'a [Port], adapter: &NetworkAdapter, is_alone: bool) -> Option<&'a Port> {
    let mac = hex_digits(&adapter.mac_address);
    let has_one = mac.bytes().any(|digit| digit != b'0');
    let by_mac = ports.iter().find(|port| has_one && port.mac_address == mac);
    by_mac.or_else(|| {
        let mut named = ports.iter().filter(|port| port.name == adapter.name);
        let first = named.next()?;
        (is_alone && named.next().is_none()).then_some(first)
    })
}

fn ports(session: &dyn WmiSession, vm: Uuid) -> Result<Vec<Port>, WmiError> {
    let guid = host_guid(vm);
    let of_vm = |class: &str, start: &str| {
        let pattern = quote(&format!("{start}{guid}%"));
        let wql = format!("SELECT * FROM {class} WHERE InstanceID LIKE {pattern}");
        match session.query_all(VIRTUALIZATION, &wql) {
            Err(error) if error.kind() == WmiErrorKind::NoClass => Ok(Vec::new()),
            other => other,
        }
    };
    let mut adapters = of_vm("Msvm_SyntheticEthernetPortSettingData", "Microsoft:")?;
    adapters.extend(of_vm("Msvm_EmulatedEthernetPortSettingData", "Microsoft:")?);
    let vlans = of_vm("Msvm_EthernetSwitchPortVlanSettingData", "Microsoft:")?;
    let guest = "Microsoft:GuestNetwork\\";
    let guests = of_vm("Msvm_GuestNetworkAdapterConfiguration", guest)?;
    let vlans: HashMap<String, Option<u16>> = vlans
        .iter()
        .filter_map(|own| Some((device_of(own, 0)?, vlan_of(own))))
        .collect();
    let addresses: HashMap<String, GuestAddresses> = guests
        .iter()
        .filter_map(|own| Some((device_of(own, 1)?, addresses_of(own)?)))
        .collect();
    let port = |adapter: &Instance| {
        let device = device_of(adapter, 0)?;
        Some(Port {
            name: adapter.text("ElementName").unwrap_or_default(),
            mac_address: hex_digits(&adapter.text("Address").unwrap_or_default()),
            vlan: vlans.get(&device).copied(),
            addresses: addresses.get(&device).cloned(),
        })
    };
    Ok(adapters.iter().filter_map(port).collect())
}

/// Returns the GUID of the device that settings belong to: the part after the VM's in the id of an
/// adapter, of its connection and of features of that; one part later in that of the guest's
/// configuration. Contract: 1.4 [M]
fn device_of(settings: &Instance, part: usize) -> Option<String> {
    let id = settings.text("InstanceID")?;
    Some(place_of(&id).get(part)?.to_ascii_lowercase())
}

/// Reads what the guest told; `None` where it told nothing.
fn addresses_of(guest: &Instance) -> Option<GuestAddresses> {
    let texts = |name: &str| {
        let mut texts = guest.texts(name);
        texts.truncate(TEXTS_MAX);
        texts
    };
    let told = GuestAddresses {
        dhcp: guest.flag("DHCPEnabled"),
        addresses: texts("IPAddresses"),
        subnets: texts("Subnets"),
        gateways: texts("DefaultGateways"),
        dns_servers: texts("DNSServers"),
    };
    (!told.addresses.is_empty()).then_some(told)
}

fn hex_digits(text: &str) -> String {
    let digits = text.chars().filter(char::is_ascii_hexdigit);
    digits.map(|digit| digit.to_ascii_uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use wmi::{MethodOutput, ObjectPath, Value};

    use super::*;

    const VM: &str = "11111111-2222-3333-4444-555555555555";

    /// Answers by class, whatever the query asks for.
    struct Told(Vec<Instance>);

    impl WmiSession for Told {
        fn host(&self) -> &'static str {
            "HV1"
        }

        fn query(
            &self,
            _: &str,
            wql: &str,
            each: &mut dyn FnMut(Instance) -> Result<(), WmiError>,
        ) -> Result<(), WmiError> {
            assert!(wql.contains(VM), "{wql}");
            let own = |own: &&Instance| wql.contains(&format!("FROM {} ", own.class));
            self.0.iter().filter(own).cloned().try_for_each(each)
        }

        fn get(&self, _: &ObjectPath) -> Result<Instance, WmiError> {
            Err(WmiError::new(WmiErrorKind::NotFound, "nothing is got"))
        }

        fn invoke(
            &self,
            _: &ObjectPath,
            _: &str,
            _: &[(&str, Value)],
        ) -> Result<MethodOutput, WmiError> {
            Err(WmiError::new(WmiErrorKind::NotFound, "nothing is called"))
        }
    }

    fn adapter(device: &str, name: &str, mac: &str) -> Instance {
        Instance::new("Msvm_SyntheticEthernetPortSettingData")
            .with("InstanceID", format!(r"Microsoft:{VM}\{device}"))
            .with("ElementName", name)
            .with("Address", mac)
    }

    fn configured(name: &str, mac: &str) -> NetworkAdapter {
        NetworkAdapter {
            name: name.to_owned(),
            mac_address: mac.to_owned(),
            mac_is_static: false,
            switch_name: "LAN".to_owned(),
            vlan: Some(1),
            addresses: None,
        }
    }

    #[test]
    fn ports_are_found_by_mac_address_then_by_a_name_of_their_own() {
        let vlan = |device: &str, mode: u16| {
            Instance::new("Msvm_EthernetSwitchPortVlanSettingData")
                .with("InstanceID", format!(r"Microsoft:{VM}\{device}\C\F"))
                .with("OperationMode", mode)
                .with("AccessVlanId", 42_u16)
        };
        let guest = Instance::new("Msvm_GuestNetworkAdapterConfiguration")
            .with("InstanceID", format!(r"Microsoft:GuestNetwork\{VM}\AA"))
            .with("DHCPEnabled", false)
            .with("IPAddresses", vec!["10.0.0.5"])
            .with("Subnets", vec!["255.255.255.0"]);
        let told = Told(vec![
            adapter("AA", "Network Adapter", "00155D010203"),
            adapter("BB", "Network Adapter", "00155D010204"),
            adapter("CC", "Backup", "000000000000"),
            vlan("AA", 1),
            vlan("CC", 2),
            guest,
        ]);
        let configuration = VmConfiguration {
            name: "SQL01".to_owned(),
            id: VM.parse().unwrap(),
            generation: 2,
            version: "9.0".to_owned(),
            notes: String::new(),
            processors: 1,
            memory: vm_config::Memory::default(),
            disks: Vec::new(),
            network_adapters: vec![
                configured("Network Adapter", "00-15-5d-01-02-03"),
                configured("Network Adapter", "00-00-00-00-00-00"),
                configured("Backup", "00-00-00-00-00-00"),
            ],
            checkpoints: Vec::new(),
            guest_state_file: None,
            secure_boot: true,
            secure_boot_template: None,
        };
        let read = with_guest_network(&told, VM.parse().unwrap(), configuration);
        let vlans: Vec<_> = read.network_adapters.iter().map(|own| own.vlan).collect();
        // The second has no address to tell it from the first; the third is a trunk.
        assert_eq!(vlans, [Some(42), Some(1), None]);
        let addresses = read.network_adapters[0].addresses.clone().unwrap();
        assert_eq!(addresses.addresses, ["10.0.0.5"]);
        assert!(!addresses.dhcp);
        assert_eq!(read.network_adapters[1].addresses, None);
    }
}
