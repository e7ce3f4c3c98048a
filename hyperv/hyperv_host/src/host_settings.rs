//! What a host itself is set to (requirements HOST-02, HOST-03, HOST-04).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::SwitchSettings;

/// Most nodes that are kept of a cluster: no cluster has more than 64.
const NODES_MAX: usize = 64;

/// What a host is set to, beside its VMs: what somebody needs who has to make it anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostSettings {
    /// The name that people know the host by.
    pub host: String,
    /// When it was read.
    pub taken: Timestamp,
    /// The machine, or those of a cluster that answered, by name.
    pub nodes: Vec<NodeSettings>,
}

/// What one Hyper-V machine is set to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSettings {
    /// What the computer calls itself.
    pub computer: String,
    /// What its Windows calls itself.
    #[serde(default)]
    pub caption: String,
    /// Its version, such as `10.0.20348`.
    #[serde(default)]
    pub version: String,
    /// Maker and model of the machine; empty where it does not say.
    #[serde(default)]
    pub machine: String,
    /// Its processors' model; empty where it does not say.
    #[serde(default)]
    pub processor: String,
    /// Logical processors; 0 where it does not say.
    #[serde(default)]
    pub logical_processors: u32,
    /// Its memory in bytes; 0 where it does not say.
    #[serde(default)]
    pub memory_bytes: u64,
    /// The folder that it makes disks in.
    #[serde(default)]
    pub disk_folder: String,
    /// The folder that it keeps definitions in.
    #[serde(default)]
    pub configuration_folder: String,
    /// The first and the last MAC address that it gives to adapters, 12 hexadecimal digits each.
    #[serde(default)]
    pub mac_addresses: Option<(String, String)>,
    /// VMs may use memory of several NUMA nodes; `None` where it does not say.
    #[serde(default)]
    pub numa_spanning: Option<bool>,
    /// Enhanced session mode is on; `None` where it does not say.
    #[serde(default)]
    pub enhanced_session: Option<bool>,
    /// How VMs move to and from it while they run; `None` where it does not say.
    #[serde(default)]
    pub live_migration: Option<LiveMigration>,
    /// Its virtual switches, by name.
    #[serde(default)]
    pub switches: Vec<SwitchSettings>,
}

/// How VMs move to and from a host while they run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveMigration {
    /// They can.
    pub enabled: bool,
    /// Most VMs at once.
    pub vms_at_once: u32,
    /// Most VMs whose storage moves at once.
    pub storage_at_once: u32,
    /// `credssp` or `kerberos`.
    pub authentication: String,
    /// `smb`, `compression` or `tcp`.
    pub transport: String,
    /// Addresses that it listens on.
    #[serde(default)]
    pub addresses: Vec<String>,
}

impl HostSettings {
    /// Most bytes that the settings may have as JSON in a restore point.
    pub const BYTES_MAX: usize = 256 << 10;

    /// Puts the settings of machines together, by name.
    pub fn new(host: &str, taken: Timestamp, mut nodes: Vec<NodeSettings>) -> Self {
        nodes.sort_by(|one, other| one.computer.cmp(&other.computer));
        nodes.truncate(NODES_MAX);
        Self {
            host: host.to_owned(),
            taken,
            nodes,
        }
    }

    /// Returns all switches, each name once, by name: those of a cluster's nodes have the same
    /// names, or VMs cannot move between them.
    pub fn switches(&self) -> Vec<&SwitchSettings> {
        let mut switches: Vec<&SwitchSettings> =
            self.nodes.iter().flat_map(|node| &node.switches).collect();
        switches.sort_by(|one, other| one.name.cmp(&other.name));
        switches.dedup_by(|one, other| one.name == other.name);
        switches
    }
}
