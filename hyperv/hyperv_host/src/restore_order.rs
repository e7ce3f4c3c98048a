//! What is asked of a host when a VM is restored to it.

use serde::{Deserialize, Serialize};
use vm_config::{DiskSlot, VmConfiguration};

/// Which identity a restored VM has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Identity {
    /// The one that it had: another VM of it must not be on the host, or in its cluster.
    #[default]
    Keep,
    /// A new one: the VM is another, also to its own backups.
    New,
}

/// How a VM is made of a definition file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportOrder {
    /// The definition file, as the host names it: `.vmcx` or `.xml`, with the state files beside
    /// it. It must be a copy that no VM uses.
    pub definition: String,
    /// The folder with the checkpoints' definition files, as the host names it; without one the
    /// VM has no checkpoints, whatever its definition lists.
    pub checkpoint_folder: Option<String>,
    /// Which identity it has.
    pub identity: Identity,
    /// Its name; without one, that of the definition.
    pub name: Option<String>,
    /// The folder that the host keeps the VM's definition, checkpoints and page file in.
    pub configuration_folder: String,
    /// The disks that are in place: every disk of the definition has an entry, or is taken out of
    /// the VM.
    pub disks: Vec<PlacedDisk>,
    /// The network adapters, in the definition's order.
    pub adapters: Vec<AdapterOrder>,
    /// Whether memory that was saved comes back with it; without that it is off.
    pub keep_memory: bool,
    /// Id of the restore: what it makes on the host is in the journal under it.
    pub run: String,
}

/// How a VM is made of a typed configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVmOrder {
    /// What it is made of. Disks, adapters and checkpoints come from the other fields.
    pub configuration: VmConfiguration,
    /// Its name.
    pub name: String,
    /// The folder that the host keeps the VM's definition, checkpoints and page file in.
    pub configuration_folder: String,
    /// The disks that are in place; none is of a checkpoint.
    pub disks: Vec<PlacedDisk>,
    /// The network adapters.
    pub adapters: Vec<AdapterOrder>,
    /// Id of the restore: what it makes on the host is in the journal under it.
    pub run: String,
}

/// A disk that is in place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedDisk {
    /// GUID of the checkpoint that it is a disk of; `None`: of the VM as it is.
    pub checkpoint: Option<String>,
    /// Where it is attached.
    pub slot: DiskSlot,
    /// The leaf, as the host names it.
    pub path: String,
}

/// How a network adapter comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdapterOrder {
    /// Its name.
    pub name: String,
    /// The switch that it is connected to; `None`: it is not connected.
    pub switch: Option<String>,
    /// Its MAC address, 12 hexadecimal digits; `None`: the host gives it a new one.
    pub mac_address: Option<String>,
    /// The address was set by hand, so it stays when the VM moves.
    pub mac_is_static: bool,
    /// The VLAN of its port, 1 to 4094; `None`: untagged.
    pub vlan: Option<u16>,
}
