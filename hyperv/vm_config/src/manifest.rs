//! The manifest: which devices a VM has, and under which node each keeps its settings.

use uuid::{Uuid, uuid};

use crate::configuration::ControllerKind;
use crate::tree::Node;

pub(crate) const IDE: Uuid = uuid!("83f8638b-8dca-4152-9eda-2ca8b33039b4");
pub(crate) const SCSI: Uuid = uuid!("d422512d-2bf2-4752-809d-7b82b5fcb1b4");
pub(crate) const FLOPPY: Uuid = uuid!("8f0d2762-0b00-4e04-af4f-19010527cb93");
pub(crate) const NETWORK: Uuid = uuid!("2fc216b0-d2e2-4967-9b6d-b8a5c9ca2778");
pub(crate) const FIRMWARE: Uuid = uuid!("ac6b8dc1-3257-4a70-b1b2-a9c9215659ad");
pub(crate) const GUEST_STATE: Uuid = uuid!("917bd8cb-3bb6-4124-9383-b7d21ac07f79");

/// A device and its settings.
pub(crate) struct Device<'a> {
    /// Its class; the nil GUID where the manifest does not list it.
    pub(crate) class: Uuid,
    pub(crate) node: &'a Node,
    /// Position of the node among the children of `configuration`.
    pub(crate) position: usize,
}

impl Device<'_> {
    /// Returns the kind of controller that this device is to a disk; `None` for a floppy drive.
    pub(crate) fn controller_kind(&self) -> Option<ControllerKind> {
        match self.class {
            FLOPPY => None,
            IDE => Some(ControllerKind::Ide),
            SCSI => Some(ControllerKind::Scsi),
            _ => Some(ControllerKind::Other),
        }
    }
}

/// Name of the node that holds an instance's settings.
pub(crate) fn instance_name(instance: Uuid) -> String {
    format!("_{instance}_")
}

/// Returns the devices in the manifest's order, then those that the manifest does not list.
///
/// An entry whose node is missing has no settings and is left out; one device that is listed
/// twice counts once.
pub(crate) fn devices(configuration: &Node) -> Vec<Device<'_>> {
    let mut devices: Vec<Device<'_>> = Vec::new();
    let instances: Vec<(Uuid, usize)> = configuration
        .children()
        .iter()
        .enumerate()
        .filter_map(|(position, node)| Some((instance_of(&node.name)?, position)))
        .collect();
    let mut taken = std::collections::HashSet::new();
    let mut add = |class: Uuid, position: usize| {
        if let Some(node) = configuration.children().get(position)
            && taken.insert(position)
        {
            devices.push(Device {
                class,
                node,
                position,
            });
        }
    };
    let by_instance: std::collections::HashMap<Uuid, usize> =
        instances.iter().rev().copied().collect();
    for (class, instance) in listed(configuration) {
        if let Some(position) = by_instance.get(&instance) {
            add(class, *position);
        }
    }
    // A device that is alone of its class has the class as its instance.
    for (instance, position) in instances {
        let class = match instance {
            IDE | FLOPPY | FIRMWARE | GUEST_STATE => instance,
            _ => Uuid::nil(),
        };
        add(class, position);
    }
    devices
}

/// Class and instance of each entry, by the number in its name.
fn listed(configuration: &Node) -> Vec<(Uuid, Uuid)> {
    let mut entries: Vec<(u32, Uuid, Uuid)> = configuration
        .get("manifest")
        .map(Node::children)
        .unwrap_or_default()
        .iter()
        .filter_map(|entry| {
            let number = numbered(&entry.name, "vdev")?;
            Some((number, guid(entry, "device")?, guid(entry, "instance")?))
        })
        .collect();
    entries.sort_by_key(|(number, _, _)| *number);
    entries
        .into_iter()
        .map(|(_, class, instance)| (class, instance))
        .collect()
}

fn guid(node: &Node, name: &str) -> Option<Uuid> {
    match &node.get(name)?.value {
        crate::Value::Text(text) => Uuid::parse_str(text).ok(),
        _ => None,
    }
}

fn instance_of(name: &str) -> Option<Uuid> {
    Uuid::parse_str(name.strip_prefix('_')?.strip_suffix('_')?).ok()
}

/// Returns the number behind `prefix` in a name such as `controller0`.
pub(crate) fn numbered(name: &str, prefix: &str) -> Option<u32> {
    let number = name
        .get(..prefix.len())
        .filter(|start| start.eq_ignore_ascii_case(prefix))
        .and_then(|_| name.get(prefix.len()..))?;
    number
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| number.parse().ok())
        .flatten()
}
