//! Disks in settings (contract 1.3): medium ─► drive ─► controller.

use std::collections::HashMap;

use hyperv_host::DiskKind;
use vm_config::{ControllerKind, DiskSlot};
use wmi::{Instance, ObjectPath, WmiError, WmiSession};

use super::instance_id::{comparable, place_of};

/// A disk of a VM or of one of its checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DiskFacts {
    /// Position among the disks, from 0.
    pub(crate) number: u32,
    /// Where it is attached.
    pub(crate) slot: Option<DiskSlot>,
    /// Id of the medium's settings, or of the drive's for a physical disk: a place, not a file.
    pub(crate) instance_id: String,
    /// The leaf, as the host names it; of a physical disk its id.
    pub(crate) path: String,
    /// What sort of disk it is.
    pub(crate) kind: DiskKind,
}

impl DiskFacts {
    /// Returns the end of the id, which is the same in the VM's settings and in those of its
    /// checkpoints: device, controller, slot. Contract: 1.3 [M]
    pub(crate) fn place(&self) -> String {
        comparable(&place_of(&self.instance_id).join("\\"))
    }

    /// Returns whether a checkpoint holds it.
    pub(crate) fn is_freezable(&self) -> bool {
        self.kind == DiskKind::Virtual
    }

    /// Returns whether it is of the format that is tracked. Contract: 2.1 [M]
    pub(crate) fn is_vhdx(&self) -> bool {
        let path = self.path.to_ascii_lowercase();
        path.ends_with(".vhdx") || path.ends_with(".avhdx")
    }
}

/// Reads the disks of settings, active or of a checkpoint: one call.
pub(crate) fn disks_of_settings(
    session: &dyn WmiSession,
    settings: &ObjectPath,
) -> Result<Vec<DiskFacts>, WmiError> {
    let resources = session.associators(
        settings,
        "CIM_ResourceAllocationSettingData",
        Some("Msvm_VirtualSystemSettingDataComponent"),
    )?;
    Ok(disks(&resources.iter().collect::<Vec<_>>()))
}

/// Reads the disks among all resources of one owner.
pub(crate) fn disks(resources: &[&Instance]) -> Vec<DiskFacts> {
    let by_id: HashMap<String, &Instance> = resources
        .iter()
        .filter_map(|instance| Some((comparable(&instance.text("InstanceID")?), *instance)))
        .collect();
    let controllers = controller_numbers(resources);
    let mut disks: Vec<DiskFacts> = resources
        .iter()
        .filter_map(|resource| disk(resource, &by_id, &controllers))
        .collect();
    disks.sort_by(|one, other| {
        let key = |disk: &DiskFacts| {
            (
                disk.slot.is_none(),
                disk.slot,
                comparable(&disk.instance_id),
            )
        };
        key(one).cmp(&key(other))
    });
    for (disk, number) in disks.iter_mut().zip(0..) {
        disk.number = number;
    }
    disks
}

fn disk(
    resource: &Instance,
    by_id: &HashMap<String, &Instance>,
    controllers: &HashMap<String, (ControllerKind, u32)>,
) -> Option<DiskFacts> {
    let kind = resource.text("ResourceSubType")?;
    let path = resource.texts("HostResource").into_iter().next()?;
    let instance_id = resource.text("InstanceID")?;
    let (drive, kind, path) = match kind.as_str() {
        "Microsoft:Hyper-V:Virtual Hard Disk" if !path.is_empty() => (
            parent_in(resource, by_id),
            virtual_kind(resource, &path),
            path,
        ),
        "Microsoft:Hyper-V:Physical Disk Drive" => {
            let device = ObjectPath::parse(&path);
            let device = device.and_then(|path| path.key("DeviceID").map(str::to_owned));
            (
                Some(resource),
                DiskKind::PassThrough,
                device.unwrap_or(path),
            )
        }
        _ => return None,
    };
    Some(DiskFacts {
        number: 0,
        slot: drive
            .and_then(|drive| slot_of_drive(drive, by_id, controllers))
            .or_else(|| slot_of_id(&instance_id)),
        instance_id,
        path,
        kind,
    })
}

fn virtual_kind(medium: &Instance, path: &str) -> DiskKind {
    if path.to_ascii_lowercase().ends_with(".vhds") {
        DiskKind::VhdSet
    } else if medium.flag("PersistentReservationsSupported") {
        DiskKind::Shared
    } else {
        DiskKind::Virtual
    }
}

fn parent_in<'a>(child: &Instance, by_id: &HashMap<String, &'a Instance>) -> Option<&'a Instance> {
    let parent = child.value("Parent").to_reference()?;
    by_id.get(&comparable(parent.key("InstanceID")?)).copied()
}

/// Returns the resource that another one is attached to.
pub(crate) fn parent_of<'a>(child: &Instance, resources: &[&'a Instance]) -> Option<&'a Instance> {
    let parent = child.value("Parent").to_reference()?;
    let parent = parent.key("InstanceID")?;
    let is_parent = |own: &&Instance| {
        let id = own.text("InstanceID").unwrap_or_default();
        id.eq_ignore_ascii_case(parent)
    };
    resources.iter().copied().find(is_parent)
}

/// Returns the disk controllers, each with its kind and number.
pub(crate) fn controllers<'a>(
    resources: &[&'a Instance],
) -> Vec<(ControllerKind, u32, &'a Instance)> {
    let numbers = controller_numbers(resources);
    let number = |own: &&'a Instance| {
        let (kind, number) = *numbers.get(&comparable(&own.text("InstanceID")?))?;
        Some((kind, number, *own))
    };
    resources.iter().filter_map(number).collect()
}

fn slot_of_drive(
    drive: &Instance,
    by_id: &HashMap<String, &Instance>,
    controllers: &HashMap<String, (ControllerKind, u32)>,
) -> Option<DiskSlot> {
    let controller = parent_in(drive, by_id)?.text("InstanceID")?;
    let (kind, controller) = *controllers.get(&comparable(&controller))?;
    Some(DiskSlot {
        kind,
        controller,
        slot: drive.number("AddressOnParent")?,
    })
}

/// Returns the slot that an id tells by itself, which it does for IDE alone (contract 1.3).
fn slot_of_id(instance_id: &str) -> Option<DiskSlot> {
    const IDE: &str = "83F8638B-8DCA-4152-9EDA-2CA8B33039B4";
    let [device, controller, slot, ..] = place_of(instance_id)[..] else {
        return None;
    };
    device.eq_ignore_ascii_case(IDE).then_some(())?;
    Some(DiskSlot {
        kind: ControllerKind::Ide,
        controller: controller.parse().ok()?,
        slot: slot.parse().ok()?,
    })
}

/// Numbers the controllers. IDE controllers say their number. SCSI controllers do not: they are
/// counted in the order in which the host lists them, which is taken for that of the VM's
/// configuration. Contract: 1.3 [M]
fn controller_numbers(resources: &[&Instance]) -> HashMap<String, (ControllerKind, u32)> {
    let of_type = |resource_type: u16| {
        let of_type = resources
            .iter()
            .filter(move |instance| instance.number("ResourceType") == Some(resource_type));
        let with_id = of_type
            .filter_map(|instance| Some((comparable(&instance.text("InstanceID")?), *instance)));
        with_id.zip(0_u32..)
    };
    let ide = of_type(5).map(|((id, instance), at)| {
        let number = instance.number("Address").unwrap_or(at);
        (id, (ControllerKind::Ide, number))
    });
    let scsi = of_type(6).map(|((id, _), at)| (id, (ControllerKind::Scsi, at)));
    ide.chain(scsi).collect()
}
