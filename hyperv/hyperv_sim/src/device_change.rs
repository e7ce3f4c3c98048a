//! Changes of a VM's devices, realised or planned: `AddResourceSettings`, `ModifyResourceSettings`,
//! `RemoveResourceSettings` and the features of connections.

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vm_config::{ControllerKind, DiskSlot, Memory, NetworkAdapter};

use crate::host_state::HostState;
use crate::import::kind_of_path;
use crate::job_work::JobWork;
use crate::{JobKind, PowerState, SimError, SimErrorKind, Vm, VmDisk};

/// A change of one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DeviceChange {
    /// Adds a SCSI controller of this GUID.
    AddController(Uuid),
    /// Adds a disk drive with nothing in it.
    AddDrive(DiskSlot),
    /// Puts a disk into a drive that is there.
    AddDisk { slot: DiskSlot, path: String },
    /// Makes another file the disk, of the VM or of a checkpoint.
    SetPath {
        snapshot: Option<Uuid>,
        slot: DiskSlot,
        path: String,
    },
    /// Takes the disk out of a drive; the file stays.
    RemoveDisk {
        snapshot: Option<Uuid>,
        slot: DiskSlot,
    },
    /// Removes a drive with nothing in it.
    RemoveDrive(DiskSlot),
    /// Adds a network adapter without a connection.
    AddAdapter {
        device: Uuid,
        adapter: NetworkAdapter,
    },
    /// Names and addresses an adapter; without an address it gets a new one.
    SetAdapter {
        device: Uuid,
        name: String,
        mac_address: Option<String>,
        mac_is_static: bool,
    },
    /// Removes an adapter and its connection.
    RemoveAdapter(Uuid),
    /// Connects an adapter to a switch, or disconnects it.
    Connect {
        device: Uuid,
        switch: Option<String>,
    },
    /// Removes the connection of an adapter.
    RemoveConnection(Uuid),
    /// Sets the VLAN of an adapter's port.
    SetVlan { device: Uuid, vlan: Option<u16> },
    /// Sets the memory.
    SetMemory(Memory),
    /// Sets the number of processors.
    SetProcessors(u32),
}

impl DeviceChange {
    /// Returns whether a VM that runs can be changed so.
    fn fits_running(&self, vm: &Vm) -> bool {
        match self {
            Self::AddDrive(slot) | Self::AddDisk { slot, .. } | Self::RemoveDrive(slot) => {
                slot.kind == ControllerKind::Scsi
            }
            Self::RemoveDisk {
                snapshot: None,
                slot,
            } => slot.kind == ControllerKind::Scsi,
            Self::Connect { .. } | Self::SetVlan { .. } => true,
            Self::AddAdapter { .. } | Self::RemoveAdapter(_) | Self::RemoveConnection(_) => {
                vm.generation == 2
            }
            _ => false,
        }
    }
}

impl HostState {
    /// Changes devices of a VM, or of one that is planned: returns the job.
    ///
    /// Errors at once: what cannot be done to a VM that is not off.
    pub(crate) fn start_changes(
        &mut self,
        vm: Uuid,
        kind: JobKind,
        changes: Vec<DeviceChange>,
    ) -> Result<Uuid, SimError> {
        if let Some(owner) = self.vms.get(&vm) {
            self.check_free(owner, false)?;
            let fits = |change: &DeviceChange| change.fits_running(owner);
            if owner.power != PowerState::Off && !changes.iter().all(fits) {
                let what = format!("'{}' must be off for this", owner.name);
                return Err(SimError::new(SimErrorKind::InvalidState, what));
            }
        }
        self.start_job(vm, kind, JobWork::ChangeDevices(changes))
    }

    /// Carries changes out, all or none.
    pub(crate) fn change_devices(
        &mut self,
        vm: Uuid,
        changes: &[DeviceChange],
    ) -> Result<(), SimError> {
        let before = self.system(vm).cloned();
        let mut done = Ok(());
        for change in changes {
            done = done.and_then(|()| self.change_device(vm, change));
        }
        if let (Err(_), Some(before)) = (&done, before) {
            *self.system_mut(vm)? = before;
        }
        done?;
        if self.vms.contains_key(&vm) {
            self.write_configuration(vm)?;
        }
        Ok(())
    }

    fn change_device(&mut self, vm: Uuid, change: &DeviceChange) -> Result<(), SimError> {
        match change {
            DeviceChange::AddDisk { slot, path } => {
                self.take_out_drive(vm, *slot)?;
                self.attach(vm, *slot, path)
            }
            DeviceChange::SetPath {
                snapshot,
                slot,
                path,
            } => self.set_path(vm, *snapshot, *slot, path),
            DeviceChange::RemoveDisk { snapshot, slot } => {
                self.detach_disk(vm, *snapshot, *slot)?;
                self.system_mut(vm)?.empty_drives.push(*slot);
                Ok(())
            }
            DeviceChange::SetAdapter {
                device,
                name,
                mac_address,
                mac_is_static,
            } => {
                let address = match mac_address {
                    Some(address) => address.clone(),
                    None => self.new_mac_address(),
                };
                let own = self.system_mut(vm)?;
                let number = own
                    .adapter_with(*device)
                    .ok_or_else(|| no_adapter(*device))?;
                if let Some(adapter) = own.network_adapters.get_mut(number) {
                    name.clone_into(&mut adapter.name);
                    adapter.mac_address = address;
                    adapter.mac_is_static = *mac_is_static;
                }
                Ok(())
            }
            other => self.system_mut(vm)?.change_plain(other),
        }
    }

    /// Draws a MAC address from the host's own range.
    pub(crate) fn new_mac_address(&mut self) -> String {
        format!("00155D{:06X}", self.new_number() & 0xFF_FFFF)
    }

    fn take_out_drive(&mut self, vm: Uuid, slot: DiskSlot) -> Result<(), SimError> {
        let drives = &mut self.system_mut(vm)?.empty_drives;
        let place = drives.iter().position(|own| *own == slot);
        let place = place.ok_or_else(|| wrong("there is no empty drive for the disk"))?;
        drives.remove(place);
        Ok(())
    }

    /// Puts a disk into a slot. A planned VM's is looked at when it is validated.
    fn attach(&mut self, vm: Uuid, slot: DiskSlot, path: &str) -> Result<(), SimError> {
        self.check_drive_letter(path)?;
        let mut disk = VmDisk {
            slot,
            kind: kind_of_path(path),
            path: path.to_owned(),
            size_bytes: 0,
            disk_id: Uuid::nil(),
            physical_number: None,
        };
        if self.vms.contains_key(&vm) {
            if !self.local_path(path)?.is_file() {
                let what = format!("the attachment '{path}' was not found");
                return Err(SimError::new(SimErrorKind::Failed, what));
            }
            self.check_not_used(vm, path)?;
            (disk.path, disk.size_bytes, disk.disk_id) = self.adopt(vm, path, disk.kind)?;
        }
        let own = self.system_mut(vm)?;
        own.disks.push(disk);
        own.disks.sort_by_key(|disk| disk.slot);
        Ok(())
    }

    /// Fails where a drive is not there: a path may lead nowhere in a planned VM, but not there.
    /// Contract: 9 [M]
    fn check_drive_letter(&self, path: &str) -> Result<(), SimError> {
        let drives = crate::drive::drives(self.dir())?;
        let is_there = |(prefix, _): &(String, _)| {
            let start = path.get(..prefix.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        if drives.iter().any(is_there) || self.local_path(path)?.exists() {
            return Ok(());
        }
        let what = format!("the device of '{path}' is not there");
        Err(SimError::new(SimErrorKind::Failed, what))
    }

    fn check_not_used(&self, vm: Uuid, path: &str) -> Result<(), SimError> {
        let has_it = |other: &&Vm| {
            let mut files = other.files.keys();
            files.any(|own| own.eq_ignore_ascii_case(path))
        };
        let Some(other) = self.vms.values().find(has_it) else {
            return Ok(());
        };
        let what = match other.id == vm {
            true => format!("'{path}' is attached already"),
            false => format!("'{path}' is in use by '{}'", other.name),
        };
        Err(SimError::new(SimErrorKind::Failed, what))
    }

    fn set_path(
        &mut self,
        vm: Uuid,
        snapshot: Option<Uuid>,
        slot: DiskSlot,
        path: &str,
    ) -> Result<(), SimError> {
        if self.vms.contains_key(&vm) {
            let found = self.vm(vm)?.disk(slot).ok_or_else(|| no_disk(slot))?;
            if found.path.eq_ignore_ascii_case(path) {
                return Ok(());
            }
            self.detach_disk(vm, snapshot, slot)?;
            return self.attach(vm, slot, path);
        }
        self.check_drive_letter(path)?;
        let own = &mut self.planned_mut(vm)?.vm;
        let known = match snapshot {
            None => {
                let disk = own.disks.iter_mut().find(|disk| disk.slot == slot);
                disk.map(|disk| (&mut disk.path, &mut disk.kind))
            }
            Some(id) => {
                let mut snapshots = own.snapshots.iter_mut();
                let disks = snapshots.find(|own| own.id == id).map(|own| &mut own.disks);
                let disk = disks.and_then(|disks| disks.iter_mut().find(|own| own.slot == slot));
                disk.map(|disk| (&mut disk.path, &mut disk.kind))
            }
        };
        let (own, kind) = known.ok_or_else(|| no_disk(slot))?;
        path.clone_into(own);
        *kind = kind_of_path(path);
        Ok(())
    }

    /// Takes a disk from a VM or a planned one; the file stays.
    fn detach_disk(
        &mut self,
        vm: Uuid,
        snapshot: Option<Uuid>,
        slot: DiskSlot,
    ) -> Result<(), SimError> {
        let is_planned = self.facts.planned.contains_key(&vm);
        let own = self.system_mut(vm)?;
        if let Some(id) = snapshot {
            let found = own.snapshots.iter_mut().find(|own| own.id == id);
            let snapshot = found.filter(|_| is_planned);
            let snapshot =
                snapshot.ok_or_else(|| wrong("a checkpoint's disks cannot be removed"))?;
            snapshot.disks.retain(|disk| disk.slot != slot);
            return Ok(());
        }
        let disk = own.disk(slot).ok_or_else(|| no_disk(slot))?.clone();
        own.disks.retain(|disk| disk.slot != slot);
        own.disown(&disk.path);
        Ok(())
    }
}

pub(crate) fn wrong(what: &str) -> SimError {
    SimError::new(SimErrorKind::InvalidParameter, what)
}

pub(crate) fn no_adapter(device: Uuid) -> SimError {
    wrong(&format!("there is no network adapter {device}"))
}

fn no_disk(slot: DiskSlot) -> SimError {
    wrong(&format!("there is no disk at {slot:?}"))
}
