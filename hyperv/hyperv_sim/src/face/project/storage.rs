//! Controllers, drives and what is in them (contract 1.3).

use vm_config::{ControllerKind, DiskSlot};
use wmi::Instance;

use super::super::instance_ids::{controller_id, drive_id, media_id};
use super::super::object::Owner;
use super::super::view::{AttachedDisk, HostView};
use crate::DiskKind;
use crate::guid::guid_text;

const RESOURCE: &str = "Msvm_ResourceAllocationSettingData";
const STORAGE: &str = "Msvm_StorageAllocationSettingData";

pub(crate) fn controller(view: HostView<'_>, owner: Owner, slot: DiskSlot) -> Option<Instance> {
    let vm = view.vm(owner.vm)?;
    let (resource_type, sub_type, name) = match slot.kind {
        ControllerKind::Ide => (
            5_u16,
            "Microsoft:Hyper-V:Emulated IDE Controller",
            "IDE Controller",
        ),
        _ => (
            6,
            "Microsoft:Hyper-V:Synthetic SCSI Controller",
            "SCSI Controller",
        ),
    };
    let mut instance = Instance::new(RESOURCE)
        .with("InstanceID", controller_id(vm, owner, slot))
        .with("ElementName", format!("{name} {}", slot.controller))
        .with("ResourceType", resource_type)
        .with("ResourceSubType", sub_type)
        .with("VirtualQuantity", 1_u64)
        .with("VirtualQuantityUnits", "count");
    if slot.kind == ControllerKind::Ide {
        instance.set("Address", slot.controller.to_string());
    } else {
        let id = usize::try_from(slot.controller).ok();
        let id = id.and_then(|index| vm.scsi_controllers.get(index))?;
        instance.set(
            "VirtualSystemIdentifiers",
            vec![format!("{{{}}}", guid_text(*id))],
        );
    }
    Some(instance)
}

pub(crate) fn drive(view: HostView<'_>, owner: Owner, slot: DiskSlot) -> Option<Instance> {
    let disk = disk_at(view, owner, slot);
    let is_empty = view.vm(owner.vm)?.empty_drives.contains(&slot);
    if disk.is_none() && !is_empty {
        return None;
    }
    let disk = disk.filter(|disk| disk.kind == DiskKind::PassThrough);
    let Some(disk) = disk else {
        return drive_of_kind(
            view,
            owner,
            slot,
            17,
            "Microsoft:Hyper-V:Synthetic Disk Drive",
        );
    };
    let instance = drive_of_kind(
        view,
        owner,
        slot,
        17,
        "Microsoft:Hyper-V:Physical Disk Drive",
    )?;
    let number = disk.physical_number.unwrap_or(0);
    let host_disk = view
        .path("Msvm_DiskDrive")
        .with_key("CreationClassName", "Msvm_DiskDrive")
        .with_key(
            "DeviceID",
            format!("Microsoft:{}\\{number}", guid_text(owner.vm)),
        )
        .with_key("SystemCreationClassName", "Msvm_ComputerSystem")
        .with_key("SystemName", view.host_name());
    Some(instance.with("HostResource", vec![host_disk.to_string()]))
}

pub(crate) fn media(view: HostView<'_>, owner: Owner, slot: DiskSlot) -> Option<Instance> {
    let disk = disk_at(view, owner, slot)?;
    if disk.kind == DiskKind::PassThrough {
        return None;
    }
    let instance = media_of_kind(
        view,
        owner,
        slot,
        "Microsoft:Hyper-V:Virtual Hard Disk",
        disk.path,
    )?;
    Some(
        instance
            .with("PersistentReservationsSupported", disk.kind.is_shared())
            .with("CachingMode", 0_u16)
            .with("SnapshotId", "")
            .with("IgnoreFlushes", false)
            .with("WriteHardeningMethod", 0_u16),
    )
}

pub(crate) fn dvd_drive(view: HostView<'_>, owner: Owner, slot: DiskSlot) -> Option<Instance> {
    drive_of_kind(
        view,
        owner,
        slot,
        16,
        "Microsoft:Hyper-V:Synthetic DVD Drive",
    )
}

/// Makes the image in the DVD drive: one that stays in after an installation.
pub(crate) fn dvd_media(view: HostView<'_>, owner: Owner, slot: DiskSlot) -> Option<Instance> {
    let image = r"C:\Windows\System32\vmguest.iso";
    media_of_kind(
        view,
        owner,
        slot,
        "Microsoft:Hyper-V:Virtual CD/DVD Disk",
        image,
    )
}

fn disk_at<'a>(view: HostView<'a>, owner: Owner, slot: DiskSlot) -> Option<AttachedDisk<'a>> {
    let disks = view.disks(view.vm(owner.vm)?, owner);
    disks.into_iter().find(|disk| disk.slot == slot)
}

fn drive_of_kind(
    view: HostView<'_>,
    owner: Owner,
    slot: DiskSlot,
    resource_type: u16,
    sub_type: &str,
) -> Option<Instance> {
    let vm = view.vm(owner.vm)?;
    let parent = view.instance_path(RESOURCE, &controller_id(vm, owner, slot));
    Some(
        Instance::new(RESOURCE)
            .with("InstanceID", drive_id(vm, owner, slot))
            .with("ElementName", view.localized("Hard Drive", "Festplatte"))
            .with("ResourceType", resource_type)
            .with("ResourceSubType", sub_type)
            .with("Parent", parent.to_string())
            .with("AddressOnParent", slot.slot.to_string())
            .with("VirtualQuantity", 1_u64)
            .with("VirtualQuantityUnits", "count"),
    )
}

fn media_of_kind(
    view: HostView<'_>,
    owner: Owner,
    slot: DiskSlot,
    sub_type: &str,
    path: &str,
) -> Option<Instance> {
    let vm = view.vm(owner.vm)?;
    let parent = view.instance_path(RESOURCE, &drive_id(vm, owner, slot));
    Some(
        Instance::new(STORAGE)
            .with("InstanceID", media_id(vm, owner, slot))
            .with(
                "Caption",
                view.localized("Hard Disk Image", "Festplattenabbild"),
            )
            .with(
                "ElementName",
                view.localized("Hard Disk Image", "Festplattenabbild"),
            )
            .with("ResourceType", 31_u16)
            .with("ResourceSubType", sub_type)
            .with("HostResource", vec![path])
            .with("Parent", parent.to_string())
            .with("Limit", 1_u64)
            .with("VirtualQuantity", 1_u64),
    )
}
