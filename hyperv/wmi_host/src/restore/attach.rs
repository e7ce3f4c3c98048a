//! Attaching disks: a drive, and the file in it (contract 1.3).

use hyperv_host::{DiskKind, HostError, HostErrorKind, PowerState};
use vm_config::{ControllerKind, DiskSlot};
use wmi::{CimType, EmbeddedInstance, Instance, ObjectPath, VIRTUALIZATION};

use super::changed_settings::{add_resource, reference_text, remove_resource};
use super::paths::take_out;
use super::planned_vm::resources_of;
use crate::backup::link::Link;
use crate::backup::refusal::method_failure;
use crate::facts::{VmFacts, controllers, disks, parent_of};
use crate::host_failure::host_failure;

const DOING: &str = "attaching the disk";
/// Slots of a SCSI controller.
const SCSI_SLOTS: u32 = 64;
/// Slots of an IDE controller.
const IDE_SLOTS: u32 = 2;
/// SCSI controllers that a VM may have.
const SCSI_CONTROLLERS: u32 = 4;

/// Settings that a disk is attached to.
pub(super) struct Attaching<'a> {
    pub(super) link: &'a Link,
    pub(super) computer: &'a str,
    /// The settings of a VM, planned or not.
    pub(super) settings: &'a ObjectPath,
}

/// Attaches a disk to a slot, or to the first free one.
pub(super) fn attach(
    attaching: &Attaching<'_>,
    slot: Option<DiskSlot>,
    path: &str,
) -> Result<DiskSlot, HostError> {
    let mut resources = attaching.resources()?;
    if let Some(wanted) = slot.filter(|own| own.kind == ControllerKind::Scsi) {
        resources = attaching.with_controllers(resources, wanted.controller)?;
    }
    let all: Vec<&Instance> = resources.iter().collect();
    let slot = match slot {
        Some(slot) if slots_taken(&all).contains(&slot) => return Err(taken(slot)),
        Some(slot) => slot,
        None => free_slot(&all).ok_or_else(no_slot)?,
    };
    let controller = controllers(&all).into_iter();
    let mut controller = controller.filter(|own| (own.0, own.1) == (slot.kind, slot.controller));
    let (_, _, controller) = controller.next().ok_or_else(|| no_controller(slot))?;
    let drive = attaching.drive(controller, slot)?;
    if let Err(error) = attaching.medium(&drive, slot, path) {
        // Without a file in it the drive is of no use.
        let removed = remove_resource(attaching.link, &drive);
        return Err(match removed {
            Ok(()) => error,
            Err(left) => HostError::new(
                error.kind(),
                format!("{error}; the empty drive stays: {left}"),
            ),
        });
    }
    Ok(slot)
}

impl Attaching<'_> {
    fn resources(&self) -> Result<Vec<Instance>, HostError> {
        let read = resources_of(self.link, self.settings);
        read.map_err(|error| host_failure(self.link.host(), DOING, error))
    }

    /// Adds SCSI controllers until there is one of this number.
    fn with_controllers(
        &self,
        resources: Vec<Instance>,
        number: u32,
    ) -> Result<Vec<Instance>, HostError> {
        let mut resources = resources;
        for _ in 0..SCSI_CONTROLLERS {
            let there = count_of_scsi(&resources);
            if there > number || number >= SCSI_CONTROLLERS {
                break;
            }
            let controller = EmbeddedInstance::new("Msvm_ResourceAllocationSettingData")
                .with("ResourceType", CimType::Uint16, 6_u16)
                .with(
                    "ResourceSubType",
                    CimType::String,
                    "Microsoft:Hyper-V:Synthetic SCSI Controller",
                );
            let is_more = |resources: &[Instance]| (count_of_scsi(resources) > there).then_some(());
            self.add(controller.to_xml(), |resources| is_more(resources))?;
            resources = self.resources()?;
        }
        Ok(resources)
    }

    fn drive(&self, controller: &Instance, slot: DiskSlot) -> Result<Instance, HostError> {
        let parent = self.reference(controller)?;
        let drive = EmbeddedInstance::new("Msvm_ResourceAllocationSettingData")
            .with("ResourceType", CimType::Uint16, 17_u16)
            .with(
                "ResourceSubType",
                CimType::String,
                "Microsoft:Hyper-V:Synthetic Disk Drive",
            )
            .with("Parent", CimType::String, parent)
            .with("AddressOnParent", CimType::String, slot.slot.to_string());
        self.add(drive.to_xml(), |resources| drive_at(resources, slot))
    }

    fn medium(&self, drive: &Instance, slot: DiskSlot, path: &str) -> Result<(), HostError> {
        let parent = self.reference(drive)?;
        let medium = EmbeddedInstance::new("Msvm_StorageAllocationSettingData")
            .with("ResourceType", CimType::Uint16, 31_u16)
            .with(
                "ResourceSubType",
                CimType::String,
                "Microsoft:Hyper-V:Virtual Hard Disk",
            )
            .with("Parent", CimType::String, parent)
            .with("HostResource", CimType::String, vec![path]);
        let is_in = |resources: &[Instance]| {
            let all: Vec<&Instance> = resources.iter().collect();
            let mut disks = disks(&all).into_iter();
            disks.any(|own| own.slot == Some(slot)).then_some(())
        };
        self.add(medium.to_xml(), is_in)
    }

    fn add<T>(
        &self,
        text: String,
        find: impl Fn(&[Instance]) -> Option<T>,
    ) -> Result<T, HostError> {
        add_resource(self.link, self.settings, text, DOING, find)
    }

    fn reference(&self, resource: &Instance) -> Result<String, HostError> {
        let path = resource.object_path(VIRTUALIZATION);
        let path = path.map_err(|error| host_failure(self.link.host(), DOING, error))?;
        Ok(reference_text(&path, self.computer))
    }
}

/// Attaches a disk to a VM, which may run where a SCSI controller takes it.
pub(super) fn attach_to_vm(
    link: &Link,
    computer: &str,
    vm: &VmFacts,
    slot: Option<DiskSlot>,
    path: &str,
) -> Result<DiskSlot, HostError> {
    if has_file(vm, path) {
        let text = format!("the VM {} has the disk {path} already", vm.name);
        return Err(HostError::new(HostErrorKind::Blocked, text));
    }
    let attaching = Attaching {
        link,
        computer,
        settings: &vm.settings.path,
    };
    let slot = match slot {
        Some(slot) => slot,
        None => {
            let resources = attaching.resources()?;
            let all: Vec<&Instance> = resources.iter().collect();
            free_slot(&all).ok_or_else(no_slot)?
        }
    };
    refuse_ide_of_running(vm, slot)?;
    attach(&attaching, Some(slot), path)
}

/// Takes a disk from a VM; the file stays.
pub(super) fn detach(link: &Link, vm: &VmFacts, slot: DiskSlot) -> Result<(), HostError> {
    const DOING: &str = "detaching the disk";
    let resources = resources_of(link, &vm.settings.path);
    let resources = resources.map_err(|error| host_failure(link.host(), DOING, error))?;
    let all: Vec<&Instance> = resources.iter().collect();
    let found = disks(&all).into_iter().find(|own| own.slot == Some(slot));
    let medium = found.and_then(|disk| {
        let is_own = |own: &&&Instance| {
            let id = own.text("InstanceID").unwrap_or_default();
            id.eq_ignore_ascii_case(&disk.instance_id)
        };
        all.iter().find(is_own).copied()
    });
    let Some(medium) = medium else {
        let text = format!("the VM {} has no disk at {}", vm.name, slot_text(slot));
        return Err(HostError::new(HostErrorKind::Blocked, text));
    };
    refuse_ide_of_running(vm, slot)?;
    take_out(link, medium, &all).map_err(|error| method_failure(link.host(), DOING, error))
}

/// Fails where the disk of a VM that is not off would come to an IDE controller, or leave it.
fn refuse_ide_of_running(vm: &VmFacts, slot: DiskSlot) -> Result<(), HostError> {
    if slot.kind == ControllerKind::Scsi || vm.state == PowerState::Off {
        return Ok(());
    }
    let text = format!(
        "the VM {} is {}, and {} takes and gives disks only while it is off",
        vm.name,
        vm.state_text,
        slot_text(slot)
    );
    Err(HostError::new(HostErrorKind::Blocked, text)
        .hint("turn the VM off, or use a slot of a SCSI controller"))
}

/// Returns a free slot as [`attach`] would choose it.
fn free_slot(resources: &[&Instance]) -> Option<DiskSlot> {
    let taken = slots_taken(resources);
    let of_kind = |kind: ControllerKind, slots: u32| {
        let own = controllers(resources).into_iter();
        let own = own.filter(move |own| own.0 == kind);
        own.flat_map(move |(kind, controller, _)| {
            (0..slots).map(move |slot| DiskSlot {
                kind,
                controller,
                slot,
            })
        })
    };
    let scsi = of_kind(ControllerKind::Scsi, SCSI_SLOTS).find(|slot| !taken.contains(slot));
    let has_scsi = of_kind(ControllerKind::Scsi, 1).next().is_some();
    match scsi {
        None if !has_scsi => {
            of_kind(ControllerKind::Ide, IDE_SLOTS).find(|own| !taken.contains(own))
        }
        other => other,
    }
}

/// Returns the slots that have a drive, of disks or of DVDs.
fn slots_taken(resources: &[&Instance]) -> Vec<DiskSlot> {
    let controllers = controllers(resources);
    let slot_of = |drive: &&Instance| {
        let parent = parent_of(drive, resources)?;
        let own = controllers.iter();
        let (kind, controller, _) = own
            .copied()
            .find(|(_, _, own)| own.text("InstanceID") == parent.text("InstanceID"))?;
        Some(DiskSlot {
            kind,
            controller,
            slot: drive.number("AddressOnParent")?,
        })
    };
    let is_drive = |own: &&&Instance| matches!(own.number("ResourceType"), Some(16_u16 | 17));
    resources
        .iter()
        .filter(is_drive)
        .filter_map(slot_of)
        .collect()
}

/// Returns the drive at a slot.
fn drive_at(resources: &[Instance], slot: DiskSlot) -> Option<Instance> {
    let all: Vec<&Instance> = resources.iter().collect();
    let mut drives = all.iter().filter(|own| {
        own.number("ResourceType") == Some(17_u16)
            && own.text("ResourceSubType").as_deref()
                == Some("Microsoft:Hyper-V:Synthetic Disk Drive")
    });
    drives
        .find(|drive| {
            let one = [**drive];
            let with_controllers: Vec<&Instance> = controllers(&all)
                .into_iter()
                .map(|(_, _, own)| own)
                .chain(one)
                .collect();
            slots_taken(&with_controllers).contains(&slot)
        })
        .map(|drive| (*drive).clone())
}

fn count_of_scsi(resources: &[Instance]) -> u32 {
    let own = resources.iter();
    let own = own.filter(|own| own.number("ResourceType") == Some(6_u16));
    u32::try_from(own.count()).unwrap_or(u32::MAX)
}

/// Says where a disk is attached, for people.
pub(super) fn slot_text(slot: DiskSlot) -> String {
    let kind = match slot.kind {
        ControllerKind::Ide => "IDE",
        ControllerKind::Scsi => "SCSI",
        ControllerKind::Other => "controller",
    };
    format!("{kind} {}:{}", slot.controller, slot.slot)
}

/// Returns whether any disk of a VM is this file.
fn has_file(vm: &VmFacts, path: &str) -> bool {
    let mut disks = vm.disks.iter();
    disks.any(|own| own.kind != DiskKind::PassThrough && own.path.eq_ignore_ascii_case(path))
}

fn taken(slot: DiskSlot) -> HostError {
    let text = format!("a drive is at {} already", slot_text(slot));
    HostError::new(HostErrorKind::Blocked, text).hint("name a free slot, or none")
}

fn no_slot() -> HostError {
    HostError::new(HostErrorKind::Blocked, "no slot of the VM is free")
        .hint("give it another SCSI controller")
}

fn no_controller(slot: DiskSlot) -> HostError {
    let text = format!("the VM has no controller for {}", slot_text(slot));
    HostError::new(HostErrorKind::Blocked, text).hint("name a slot of a controller that it has")
}
