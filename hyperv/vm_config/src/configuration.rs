//! What a configuration says, in Hyper-V's words.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A VM's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmConfiguration {
    /// The name that people gave the VM.
    pub name: String,
    /// The VM's GUID.
    pub id: Uuid,
    /// 1 or 2.
    pub generation: u32,
    /// Configuration version, such as `9.0`.
    pub version: String,
    /// The notes that people wrote.
    pub notes: String,
    /// Virtual processors.
    pub processors: u32,
    /// Memory.
    pub memory: Memory,
    /// Disks, ordered by controller and slot.
    pub disks: Vec<Disk>,
    /// Network adapters, in the order of the file.
    pub network_adapters: Vec<NetworkAdapter>,
    /// Checkpoints that the configuration lists.
    pub checkpoints: Vec<Checkpoint>,
    /// File with firmware variables and virtual TPM, as the configuration names it.
    pub guest_state_file: Option<String>,
    /// Secure Boot is on (generation 2).
    pub secure_boot: bool,
    /// GUID of the template that says whose signatures Secure Boot trusts; `None` where the file
    /// does not tell, as hosts before 2016 do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secure_boot_template: Option<Uuid>,
}

/// A VM's memory, in MiB.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// What the VM starts with.
    pub startup_mib: u64,
    /// Dynamic memory is on.
    pub dynamic: bool,
    /// The least, with dynamic memory.
    pub minimum_mib: u64,
    /// The most, with dynamic memory.
    pub maximum_mib: u64,
}

/// A disk of a VM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Where it is attached.
    pub slot: DiskSlot,
    /// Path of the leaf as the host sees it: a Windows path. Empty for a pass-through disk.
    pub path: String,
    /// A physical disk of the host, which no file holds.
    pub pass_through: bool,
}

/// Where a disk is attached. Ordered by controller kind, controller, slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DiskSlot {
    /// Kind of the controller.
    pub kind: ControllerKind,
    /// Number of the controller among those of its kind, from 0.
    pub controller: u32,
    /// Place on the controller, from 0.
    pub slot: u32,
}

/// Kind of a disk controller. IDE comes before SCSI, as the firmware sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ControllerKind {
    /// IDE, of generation 1.
    Ide,
    /// SCSI.
    Scsi,
    /// Any other.
    Other,
}

/// A network adapter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkAdapter {
    /// Name of the adapter.
    pub name: String,
    /// MAC address as the configuration writes it.
    pub mac_address: String,
    /// The MAC address was set by hand.
    pub mac_is_static: bool,
    /// Name of the switch it is connected to; empty where not connected.
    pub switch_name: String,
    /// The VLAN of its port, 1 to 4094; `None`: untagged, a trunk, or not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
    /// The addresses that the guest had. No configuration file holds them: a host tells them of a
    /// guest that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addresses: Option<GuestAddresses>,
}

/// The addresses of a guest's network adapter, as the guest told them to its host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestAddresses {
    /// They come from DHCP; else somebody set them in the guest.
    pub dhcp: bool,
    /// IPv4 and IPv6 addresses.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// A subnet mask or a prefix length for each address.
    #[serde(default)]
    pub subnets: Vec<String>,
    /// Gateways.
    #[serde(default)]
    pub gateways: Vec<String>,
    /// Name servers.
    #[serde(default)]
    pub dns_servers: Vec<String>,
}

/// A checkpoint that a configuration lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The checkpoint's GUID.
    pub id: Uuid,
    /// Its name, where the configuration says it.
    pub name: String,
}
