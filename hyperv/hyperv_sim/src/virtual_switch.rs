//! The host's virtual switches, and the physical network adapters that they may lead through.
//!
//! A switch is there because somebody made it, or because a VM's adapter names it: a VM that is
//! added brings the switch that it is connected to, and that one stays when the VM goes.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::guid::seeded_guid;
use crate::host_state::HostState;
use crate::{SimError, SimErrorKind, SimHost, Vm};

/// A virtual switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualSwitch {
    /// `Msvm_VirtualEthernetSwitch.Name`.
    pub id: Uuid,
    /// `ElementName`. Need not be unique on a real host; is here.
    pub name: String,
    /// The notes that people wrote.
    pub notes: String,
    /// The physical adapter that an external switch leads through, by its name.
    pub adapter: Option<String>,
    /// The host's own port, which an internal switch has and an external one may have.
    pub host_port: Option<HostPort>,
}

/// The host's own port at a switch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPort {
    /// Its VLAN.
    pub vlan: Option<u16>,
}

impl VirtualSwitch {
    /// Describes a switch for VMs alone.
    pub fn private(name: impl Into<String>) -> Self {
        Self {
            id: Uuid::nil(),
            name: name.into(),
            notes: String::new(),
            adapter: None,
            host_port: None,
        }
    }

    /// Describes a switch for VMs and the host.
    pub fn internal(name: impl Into<String>) -> Self {
        Self {
            host_port: Some(HostPort::default()),
            ..Self::private(name)
        }
    }

    /// Describes a switch that leads through a physical adapter, which the host shares.
    pub fn external(name: impl Into<String>, adapter: impl Into<String>) -> Self {
        Self {
            adapter: Some(adapter.into()),
            ..Self::internal(name)
        }
    }

    /// Says what sort of switch it is, for people.
    pub fn kind(&self) -> &'static str {
        match (&self.adapter, &self.host_port) {
            (Some(_), _) => "external",
            (None, Some(_)) => "internal",
            (None, None) => "private",
        }
    }
}

/// A physical network adapter of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhysicalAdapter {
    /// GUID of the device.
    pub id: Uuid,
    /// What it is called: `Msvm_ExternalEthernetPort.ElementName`.
    pub name: String,
}

/// The physical adapters of a host that was not told otherwise.
pub(crate) fn usual_adapters() -> Vec<PhysicalAdapter> {
    let adapter = |(number, name): (u64, &str)| PhysicalAdapter {
        id: seeded_guid(0x1234, number),
        name: name.to_owned(),
    };
    (1..).zip(["Ethernet", "Ethernet 2"]).map(adapter).collect()
}

/// Returns the GUID of a switch that nobody made, which is the same wherever its name is.
fn id_of_name(name: &str) -> Uuid {
    let mixed = name.bytes().fold(0_u64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    seeded_guid(mixed, 0)
}

/// Returns what a switch is that only a VM's adapter tells of: one outside where it is called so.
fn named_switch(name: &str) -> VirtualSwitch {
    let mut switch = match name {
        "External" => VirtualSwitch::external(name, "Ethernet"),
        "Internal" => VirtualSwitch::internal(name),
        _ => VirtualSwitch::private(name),
    };
    switch.id = id_of_name(name);
    switch
}

impl SimHost {
    /// Adds a virtual switch; returns its GUID, which is drawn where none was given.
    ///
    /// Errors: `InvalidParameter` where the name is taken, or the physical adapter is not there or
    /// taken.
    pub fn add_switch(&self, switch: VirtualSwitch) -> Result<Uuid, SimError> {
        self.act(|state| state.add_switch(switch))
    }

    /// Removes a virtual switch by its name. Adapters of VMs that were connected to it are not
    /// connected any more.
    pub fn remove_switch(&self, name: &str) -> Result<(), SimError> {
        self.act(|state| {
            let found = state.switch_named(name).map(|switch| switch.id);
            let id = found.ok_or_else(|| no_switch(name))?;
            state.remove_switch(id)
        })
    }

    /// Lists the virtual switches, by name.
    pub fn switches(&self) -> Result<Vec<VirtualSwitch>, SimError> {
        self.look(|state| Ok(state.switches()))
    }

    /// Replaces the physical network adapters of the host by others of these names.
    pub fn set_physical_adapters(&self, names: &[&str]) -> Result<(), SimError> {
        self.act(|state| {
            let mut adapters = Vec::new();
            for name in names {
                adapters.push(PhysicalAdapter {
                    id: state.new_guid(),
                    name: (*name).to_owned(),
                });
            }
            state.facts_mut().physical_adapters = adapters;
            Ok(())
        })
    }
}

impl HostState {
    /// Lists the switches by name: those that somebody made, and those that adapters name.
    pub(crate) fn switches(&self) -> Vec<VirtualSwitch> {
        let mut switches = self.facts.switches.clone();
        let adapters = self.vms.values().flat_map(|vm| &vm.network_adapters);
        for name in adapters.map(|adapter| adapter.switch_name.as_str()) {
            if !name.is_empty() && !switches.iter().any(|own| own.name == name) {
                switches.push(named_switch(name));
            }
        }
        switches.sort_by(|one, other| one.name.cmp(&other.name));
        switches
    }

    /// Finds a switch by its name.
    pub(crate) fn switch_named(&self, name: &str) -> Option<VirtualSwitch> {
        let made = self.facts.switches.iter().find(|own| own.name == name);
        if made.is_some() {
            return made.cloned();
        }
        let mut adapters = self.vms.values().flat_map(|vm| &vm.network_adapters);
        let is_used = !name.is_empty() && adapters.any(|own| own.switch_name == name);
        is_used.then(|| named_switch(name))
    }

    /// Finds a switch by its GUID.
    pub(crate) fn switch(&self, id: Uuid) -> Option<VirtualSwitch> {
        let mut switches = self.switches().into_iter();
        switches.find(|switch| switch.id == id)
    }

    pub(crate) fn add_switch(&mut self, mut switch: VirtualSwitch) -> Result<Uuid, SimError> {
        let wrong = |what: String| Err(SimError::new(SimErrorKind::InvalidParameter, what));
        if switch.name.is_empty() {
            return wrong("a virtual switch has a name".to_owned());
        }
        if self.switch_named(&switch.name).is_some() {
            return wrong(format!("there is a virtual switch '{}'", switch.name));
        }
        if let Some(adapter) = &switch.adapter {
            let adapters = &self.facts.physical_adapters;
            if !adapters.iter().any(|own| own.name == *adapter) {
                return wrong(format!("the host has no network adapter '{adapter}'"));
            }
            let taken = self.facts.switches.iter();
            if taken
                .clone()
                .any(|own| own.adapter.as_ref() == Some(adapter))
            {
                return wrong(format!("a virtual switch uses '{adapter}' already"));
            }
        }
        if switch.id.is_nil() {
            switch.id = self.new_guid();
        }
        let id = switch.id;
        self.facts_mut().switches.push(switch);
        Ok(id)
    }

    pub(crate) fn remove_switch(&mut self, id: Uuid) -> Result<(), SimError> {
        let switch = self.switch(id).ok_or_else(|| no_switch(&id.to_string()))?;
        self.facts_mut().switches.retain(|own| own.id != id);
        let ids: Vec<Uuid> = self.vms.keys().copied().collect();
        for vm in ids {
            let adapters = self.vm(vm)?.network_adapters.iter();
            let count = adapters
                .filter(|own| own.switch_name == switch.name)
                .count();
            if count > 0 {
                self.vm_mut(vm)?.disconnect_from(&switch.name);
                self.write_configuration(vm)?;
            }
        }
        Ok(())
    }

    /// Sets the VLAN of the host's own port at a switch.
    pub(crate) fn set_host_port(&mut self, id: Uuid, vlan: Option<u16>) -> Result<(), SimError> {
        let switch = self.switch(id).ok_or_else(|| no_switch(&id.to_string()))?;
        if !self.facts.switches.iter().any(|own| own.id == id) {
            self.facts_mut().switches.push(switch);
        }
        let mut switches = self.facts_mut().switches.iter_mut();
        let own = switches.find(|own| own.id == id);
        match own.and_then(|own| own.host_port.as_mut()) {
            Some(port) => port.vlan = vlan,
            None => return Err(no_switch(&id.to_string())),
        }
        Ok(())
    }

    /// Lets the switches stay that only this VM's adapters tell of: the VM goes.
    pub(crate) fn keep_switches_of(&mut self, vm: &Vm) {
        for adapter in &vm.network_adapters {
            let name = &adapter.switch_name;
            let known = self.facts.switches.iter().any(|own| own.name == *name);
            if !name.is_empty() && !known {
                self.facts_mut().switches.push(named_switch(name));
            }
        }
    }
}

fn no_switch(name: &str) -> SimError {
    SimError::new(
        SimErrorKind::NotFound,
        format!("there is no virtual switch '{name}'"),
    )
}
