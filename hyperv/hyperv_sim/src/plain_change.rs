//! Changes of a VM's devices that need nothing but the VM.

use uuid::Uuid;

use crate::device_change::{DeviceChange, no_adapter, wrong};
use crate::{SimError, Vm, VmPort};

/// Most SCSI controllers of a VM.
const CONTROLLERS_MAX: usize = 4;
/// Most network adapters of a VM.
const ADAPTERS_MAX: usize = 64;

impl Vm {
    /// Takes a file and its parents off the list, as far as nothing else of the VM needs them.
    pub(crate) fn disown(&mut self, path: &str) {
        let mut at = Some(path.to_owned());
        while let Some(file) = at {
            let running = self.disks.iter().any(|disk| disk.path == file);
            let mut frozen = self.snapshots.iter().flat_map(|own| &own.disks);
            if running
                || frozen.any(|disk| disk.path == file)
                || !self.children_of(&file).is_empty()
            {
                return;
            }
            at = self.files.remove(&file).and_then(|node| node.parent);
        }
    }

    /// Carries out a change that needs nothing but the VM.
    pub(crate) fn change_plain(&mut self, change: &DeviceChange) -> Result<(), SimError> {
        match change {
            DeviceChange::AddController(id) => {
                if self.scsi_controllers.len() >= CONTROLLERS_MAX {
                    return Err(wrong("a VM has at most four SCSI controllers"));
                }
                self.scsi_controllers.push(*id);
            }
            DeviceChange::AddDrive(slot) => {
                if self.disk(*slot).is_some() || self.empty_drives.contains(slot) {
                    return Err(wrong("there is a drive already"));
                }
                self.empty_drives.push(*slot);
            }
            DeviceChange::RemoveDrive(slot) => {
                if self
                    .disk(*slot)
                    .is_some_and(|disk| disk.physical_number.is_none())
                {
                    return Err(wrong("there is a disk in the drive"));
                }
                self.disks.retain(|disk| disk.slot != *slot);
                self.empty_drives.retain(|own| own != slot);
            }
            DeviceChange::AddAdapter { device, adapter } => {
                if self.network_adapters.len() >= ADAPTERS_MAX {
                    return Err(wrong("a VM has no more network adapters"));
                }
                self.name_ports();
                self.network_adapters.push(adapter.clone());
                self.ports.push(VmPort {
                    id: *device,
                    has_no_connection: true,
                    ..VmPort::default()
                });
            }
            DeviceChange::RemoveAdapter(device) => {
                let number = self.number_of(*device)?;
                self.name_ports();
                self.network_adapters.remove(number);
                self.ports.remove(number);
            }
            DeviceChange::Connect { device, switch } => {
                self.connect(*device, switch.as_deref())?;
            }
            DeviceChange::RemoveConnection(device) => {
                let number = self.number_of(*device)?;
                self.disconnect(number);
                if let Some(port) = self.port_mut(number) {
                    port.has_no_connection = true;
                }
                if let Some(adapter) = self.network_adapters.get_mut(number) {
                    adapter.vlan = None;
                }
            }
            DeviceChange::SetVlan { device, vlan } => {
                let number = self.number_of(*device)?;
                if let Some(adapter) = self.network_adapters.get_mut(number) {
                    adapter.vlan = *vlan;
                }
            }
            DeviceChange::SetMemory(memory) => self.memory = memory.clone(),
            DeviceChange::SetProcessors(count) => self.processors = *count,
            _ => return Err(wrong("this cannot be changed")),
        }
        Ok(())
    }

    fn connect(&mut self, device: Uuid, switch: Option<&str>) -> Result<(), SimError> {
        let number = self.number_of(device)?;
        match switch {
            None => self.disconnect(number),
            Some(name) => {
                if let Some(adapter) = self.network_adapters.get_mut(number) {
                    name.clone_into(&mut adapter.switch_name);
                }
            }
        }
        if let Some(port) = self.port_mut(number) {
            port.has_no_connection = false;
            if let Some(name) = switch {
                name.clone_into(&mut port.last_known_switch);
            }
        }
        Ok(())
    }

    fn number_of(&self, device: Uuid) -> Result<usize, SimError> {
        self.adapter_with(device).ok_or_else(|| no_adapter(device))
    }
}
