//! What a VM's network adapter has besides what its configuration says: its port at a switch.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Vm;
use crate::guid::seeded_guid;

/// What a network adapter has besides its settings. Ports stand in the order of the adapters;
/// there may be fewer, and then the rest are as `default` says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmPort {
    /// GUID of the device; nil: made of the VM's and the adapter's number.
    #[serde(default)]
    pub id: Uuid,
    /// The switch that it was connected to before it was disconnected.
    #[serde(default)]
    pub last_known_switch: String,
    /// The adapter has no connection at all, as one that was just added.
    #[serde(default)]
    pub has_no_connection: bool,
}

impl Vm {
    /// Returns the port of an adapter, by the adapter's number.
    pub fn port(&self, number: usize) -> VmPort {
        let mut port = self.ports.get(number).cloned().unwrap_or_default();
        if port.id.is_nil() {
            let seed = u64::try_from(number).unwrap_or(u64::MAX);
            let bits = u64::try_from(self.id.as_u128() & u128::from(u64::MAX));
            port.id = seeded_guid(bits.unwrap_or_default(), seed);
        }
        port
    }

    /// Returns the number of the adapter with a device of this GUID.
    pub(crate) fn adapter_with(&self, device: Uuid) -> Option<usize> {
        (0..self.network_adapters.len()).find(|number| self.port(*number).id == device)
    }

    /// Returns the port of an adapter, to be changed.
    pub(crate) fn port_mut(&mut self, number: usize) -> Option<&mut VmPort> {
        self.name_ports();
        self.ports.get_mut(number)
    }

    /// Gives every adapter a port whose GUID stays when others go.
    pub(crate) fn name_ports(&mut self) {
        let ports = 0..self.network_adapters.len();
        self.ports = ports.map(|number| self.port(number)).collect();
    }

    /// Disconnects all adapters from a switch.
    pub(crate) fn disconnect_from(&mut self, switch: &str) {
        for number in 0..self.network_adapters.len() {
            let adapter = self.network_adapters.get(number);
            if adapter.is_some_and(|own| own.switch_name == switch) {
                self.disconnect(number);
            }
        }
    }

    /// Disconnects an adapter, which keeps the name of its switch.
    pub(crate) fn disconnect(&mut self, number: usize) {
        let Some(adapter) = self.network_adapters.get_mut(number) else {
            return;
        };
        let name = std::mem::take(&mut adapter.switch_name);
        if let Some(port) = self.port_mut(number).filter(|_| !name.is_empty()) {
            port.last_known_switch = name;
        }
    }
}
