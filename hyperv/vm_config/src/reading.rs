//! From a configuration file to what it says.

use uuid::Uuid;

use crate::configuration::{Checkpoint, Memory, NetworkAdapter, VmConfiguration};
use crate::drives::drives;
use crate::keys::Keys;
use crate::manifest::{FIRMWARE, GUEST_STATE, NETWORK, devices, instance_name};
use crate::port_features::vlan_of;
use crate::tree::{Node, Tree, Value};
use crate::{ConfigError, ConfigErrorKind, hvs, read_vmcx, read_xml};

/// What was read from a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The configuration.
    pub configuration: VmConfiguration,
    /// The VM that the configuration belongs to, where it says so. In a checkpoint's
    /// configuration it may differ from the configuration's own id.
    pub logical_id: Option<Uuid>,
    /// What was found that the typed configuration has no place for.
    pub notices: Vec<Notice>,
}

/// Something in a configuration that the typed configuration has no place for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Path of the key.
    pub key: String,
    /// What was found.
    pub text: String,
}

impl VmConfiguration {
    /// Reads a `.vmcx` or `.xml`, told apart by its bytes. `name` is what errors show.
    ///
    /// # Errors
    ///
    /// Those of [`read_vmcx`] and [`read_xml`]; `Corrupt` where a key has the wrong type or is out
    /// of its range; `NotAConfiguration` for a file that describes no VM, such as a host's own.
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, ConfigError> {
        Self::read(name, bytes).map(|reading| reading.configuration)
    }

    /// As [`VmConfiguration::from_bytes`], with what has no place in the typed configuration.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Reading, ConfigError> {
        let tree = if is_vmcx(bytes) {
            read_vmcx(name, bytes)?
        } else {
            read_xml(name, bytes)?
        };
        reading(&tree).map_err(|error| error.in_file(name))
    }

    /// Takes a configuration from a tree that was read before.
    ///
    /// # Errors
    ///
    /// As [`VmConfiguration::from_bytes`], as far as they are about keys.
    pub fn from_tree(tree: &Tree) -> Result<Self, ConfigError> {
        reading(tree).map(|reading| reading.configuration)
    }
}

/// Says whether the file is a container. Either header may be damaged, so both are asked.
pub(crate) fn is_vmcx(bytes: &[u8]) -> bool {
    let signature = hvs::SIGNATURE.to_le_bytes();
    [0, 0x1000].into_iter().any(|at| {
        bytes
            .get(at..)
            .is_some_and(|rest| rest.starts_with(&signature))
    })
}

fn reading(tree: &Tree) -> Result<Reading, ConfigError> {
    let root = tree.get("configuration").ok_or_else(not_a_vm)?;
    let keys = Keys::new(root, "configuration");
    let properties = keys.below("properties").ok_or_else(not_a_vm)?;
    let logical_id = keys.guid("settings/global/logical_id")?;
    let id = properties
        .guid("global_id")?
        .or(logical_id)
        .ok_or_else(|| properties.missing("global_id"))?;
    let (drives, notices) = drives(root)?;
    let configuration = VmConfiguration {
        name: properties
            .text("name")?
            .ok_or_else(|| properties.missing("name"))?
            .to_owned(),
        id,
        generation: generation(&properties)?,
        version: properties.number("version")?.map_or_else(
            || "unknown".to_owned(),
            |version| format!("{}.{}", version / 256, version % 256),
        ),
        notes: properties.text("notes")?.unwrap_or_default().to_owned(),
        processors: keys.number("settings/processors/count")?.unwrap_or(1),
        memory: memory(&keys)?,
        disks: drives.into_iter().map(|drive| drive.disk).collect(),
        network_adapters: network_adapters(root)?,
        checkpoints: checkpoints(&keys)?,
        guest_state_file: keys
            .text(&format!("{}/StateFilePath", instance_name(GUEST_STATE)))?
            .filter(|path| !path.is_empty())
            .map(str::to_owned),
        secure_boot: keys
            .bool(&format!("{}/secure_boot_enabled", instance_name(FIRMWARE)))?
            .unwrap_or(false),
        // VMs of generation 1 have the nil GUID there.
        secure_boot_template: keys
            .guid(&format!(
                "{}/secure_boot_template_id",
                instance_name(FIRMWARE)
            ))?
            .filter(|template| !template.is_nil()),
    };
    Ok(Reading {
        configuration,
        logical_id,
        notices,
    })
}

fn not_a_vm() -> ConfigError {
    ConfigError::new(
        ConfigErrorKind::NotAConfiguration,
        "configuration/properties",
        "expected the properties of a VM, found none",
    )
}

/// Hosts before 2012 R2 have no subtype: all their VMs are of generation 1.
fn generation(properties: &Keys<'_>) -> Result<u32, ConfigError> {
    match properties.number("subtype")? {
        None | Some(0) => Ok(1),
        Some(1) => Ok(2),
        Some(other) => Err(ConfigError::unsupported(
            "configuration/properties/subtype",
            format!("expected 0 (generation 1) or 1 (generation 2), found {other}"),
        )),
    }
}

fn memory(keys: &Keys<'_>) -> Result<Memory, ConfigError> {
    let Some(bank) = keys.below("settings/memory/bank") else {
        return Ok(Memory::default());
    };
    Ok(Memory {
        startup_mib: bank.unsigned("size")?.unwrap_or(0),
        dynamic: bank.bool("dynamic_memory_enabled")?.unwrap_or(false),
        minimum_mib: bank.unsigned("reservation")?.unwrap_or(0),
        maximum_mib: bank.unsigned("limit")?.unwrap_or(0),
    })
}

/// Adapters in the manifest's order: synthetic ones, and any other device that has a MAC address,
/// as emulated ones do.
fn network_adapters(configuration: &Node) -> Result<Vec<NetworkAdapter>, ConfigError> {
    let mut adapters = Vec::new();
    for device in devices(configuration) {
        if device.class != NETWORK && device.node.get("MacAddress").is_none() {
            continue;
        }
        let keys = Keys::new(device.node, format!("configuration/{}", device.node.name));
        adapters.push(NetworkAdapter {
            name: keys.text("FriendlyName")?.unwrap_or_default().to_owned(),
            mac_address: keys.text("MacAddress")?.unwrap_or_default().to_owned(),
            mac_is_static: keys.bool("MacAddressIsStatic")?.unwrap_or(false),
            switch_name: switch_name(&keys)?.to_owned(),
            vlan: vlan_of(device.node),
            addresses: None,
        });
    }
    Ok(adapters)
}

/// Later hosts write the switch's GUID in `SwitchName` and its name in `AltSwitchName`.
fn switch_name<'a>(adapter: &Keys<'a>) -> Result<&'a str, ConfigError> {
    if adapter.bool("IsConnected")? == Some(false) {
        return Ok("");
    }
    let name = adapter
        .text("Connection/AltSwitchName")?
        .unwrap_or_default();
    if name.is_empty() {
        return Ok(adapter.text("SwitchName")?.unwrap_or_default());
    }
    Ok(name)
}

/// Reads the list of checkpoints.
///
/// No sample has one, so the form is a guess: any child of the list that is a GUID, or that has a
/// GUID under `id`, `guid` or `instance`, and perhaps a `name`. The first real host will tell.
fn checkpoints(keys: &Keys<'_>) -> Result<Vec<Checkpoint>, ConfigError> {
    let Some(list) = keys.below("global_settings/snapshots/list") else {
        return Ok(Vec::new());
    };
    let mut checkpoints = Vec::new();
    for child in list.node().children() {
        let entry = Keys::new(child, format!("{}/{}", list.path(), child.name));
        let (id, name) = match &child.value {
            Value::Text(text) => (Uuid::parse_str(text).ok(), String::new()),
            Value::Branch(_) => {
                let mut id = None;
                for key in ["id", "guid", "instance"] {
                    id = id.or(entry.guid(key)?);
                }
                let name = entry.text("name")?.unwrap_or_default();
                (id, name.to_owned())
            }
            _ => (None, String::new()),
        };
        if let Some(id) = id {
            checkpoints.push(Checkpoint { id, name });
        }
    }
    Ok(checkpoints)
}
