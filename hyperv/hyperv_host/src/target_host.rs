//! What a restore finds on a host (requirements PRE-33, REST-24, REST-27).

use serde::{Deserialize, Serialize};
use vm_config::DiskSlot;

use crate::PowerState;

/// What a restore finds on a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TargetHost {
    /// What the computer calls itself, whatever name it was reached by.
    pub computer: String,
    /// What its Windows calls itself.
    pub caption: String,
    /// Its version: major, minor, build.
    pub version: (u32, u32, u32),
    /// It is no Windows Server.
    pub is_desktop: bool,
    /// It is a node of a failover cluster.
    pub is_cluster: bool,
    /// Configuration versions that it can import, such as `9.0`; empty where it does not say.
    pub versions: Vec<String>,
    /// The version that a VM which is made there gets.
    pub default_version: Option<String>,
    /// Maker and model of its processors, as far as it tells: saved memory needs the same.
    pub processor: Option<String>,
    /// Logical processors; 0 where it does not say.
    pub logical_processors: u32,
    /// Its memory in bytes; 0 where it does not say.
    pub memory_bytes: u64,
    /// What of it is free, where that is known.
    pub free_memory_bytes: Option<u64>,
    /// Its volumes.
    pub volumes: Vec<TargetVolume>,
    /// Its virtual switches, by name.
    pub switches: Vec<SwitchSettings>,
    /// The folder that it makes disks in.
    pub disk_folder: String,
    /// The folder that it keeps definitions in.
    pub configuration_folder: String,
    /// Its VMs, and in a cluster those of all nodes.
    pub vms: Vec<TargetVm>,
}

/// A volume that VMs can be restored to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetVolume {
    /// Where it is mounted.
    pub mount: String,
    /// What is free on it, in bytes.
    pub free_bytes: u64,
}

/// A VM that a restore might meet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetVm {
    /// Its GUID in lower case.
    pub identity: String,
    /// Its name.
    pub name: String,
    /// What it is doing.
    pub state: PowerState,
    /// The node that it is on; `None` where the host is no cluster.
    pub node: Option<String>,
    /// It is a role of the cluster.
    pub is_clustered: bool,
    /// It is part of a replication.
    pub is_replicated: bool,
    /// The folder that the host keeps its definition in.
    pub configuration_folder: String,
    /// Its disks as it is now: where they are attached, and the leaf as the host names it. Disks
    /// that no file holds have no entry.
    pub disks: Vec<(DiskSlot, String)>,
    /// Number of checkpoints that it has, of whatever kind.
    pub checkpoints: usize,
}

/// A virtual switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchSettings {
    /// Its name.
    pub name: String,
    /// Its GUID in lower case; empty where it is to be made.
    #[serde(default)]
    pub id: String,
    /// What it leads to.
    pub kind: SwitchKind,
    /// The notes that people wrote.
    #[serde(default)]
    pub notes: String,
}

/// What a virtual switch leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum SwitchKind {
    /// VMs alone.
    Private,
    /// VMs and the host.
    Internal {
        /// The VLAN of the host's own port.
        #[serde(default)]
        vlan: Option<u16>,
    },
    /// A network outside, through an adapter of the host.
    External {
        /// The physical adapter's name, as the host shows it.
        adapter: String,
        /// The host has a port of its own at the switch.
        shared_with_host: bool,
        /// The VLAN of the host's own port.
        #[serde(default)]
        vlan: Option<u16>,
    },
}
