//! What is asked of a restore to a host.

use std::path::PathBuf;

use hyperv_host::Identity;
use serde::{Deserialize, Serialize};
use vm_config::DiskSlot;

/// Where a VM's files go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Destination {
    /// Where they were. A file that is there and stays has its name: then another one is found
    /// beside it.
    #[default]
    Original,
    /// A folder of the host, as the host names it.
    Folder(String),
}

/// What comes back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "part")]
pub enum RestorePart {
    /// The VM: configuration and disks.
    #[default]
    Vm,
    /// Disks, which are attached to a VM that is on the host.
    Disks {
        /// Its GUID or its name.
        attach_to: String,
        /// Where the first disk is attached; the others, and it where nothing is said, come to
        /// places that are free.
        #[serde(default)]
        slot: Option<DiskSlot>,
    },
    /// The configuration of a VM that is on the host; its disks stay as they are.
    Configuration,
    /// The network adapters of a VM that is on the host.
    Network,
}

/// What happens with the restored VM's networks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkPolicy {
    /// Each adapter is connected to the switch of the same name, or the one that it is mapped to.
    #[default]
    Kept,
    /// No adapter is connected.
    Disconnected,
}

/// Whether the VM runs once the restore is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartPolicy {
    /// As it was before: a VM that was turned off for the restore is started again.
    #[default]
    AsBefore,
    /// It is started, whatever it did before.
    Start,
    /// It stays off.
    StayOff,
}

/// How a whole VM comes to be on its host again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Through {
    /// By an import, where the host has one; else by the host's VSS writer.
    #[default]
    Auto,
    /// By an import: a planned VM that becomes one.
    Import,
    /// By the host's VSS writer, which takes the VM away and registers it again.
    Writer,
}

/// What is asked of a restore to a host.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct HostRestoreRequest {
    /// What comes back.
    pub part: RestorePart,
    /// By what a whole VM comes back.
    #[serde(default)]
    pub through: Through,
    /// Where its files go.
    pub destination: Destination,
    /// The VM that is on the host gives way: it is taken from the host, and its disks are written
    /// over or removed.
    pub in_place: bool,
    /// With `in_place`: the VM that is on the host stays, under another name; what comes back gets
    /// a new identity and files of its own.
    pub keep_old: bool,
    /// A VM that has to be off is turned off.
    pub stop_running: bool,
    /// Whether the VM runs once all is done.
    #[serde(default)]
    pub start: StartPolicy,
    /// The restored VM's identity.
    pub identity: Identity,
    /// Its name; without one, that which it had.
    pub name: Option<String>,
    /// Of a point with checkpoints the latest state alone, each disk one file.
    pub flatten: bool,
    /// Of a point with checkpoints the state at this one, by its name, its id or the beginning of
    /// that: each disk one file. The VM's settings are those that it had at last.
    #[serde(default)]
    pub checkpoint: Option<String>,
    /// The VM is made of its typed configuration, for a host that cannot read its definition.
    pub as_new_vm: bool,
    /// Memory that was saved comes back. Without a word it does not.
    pub keep_memory: Option<bool>,
    /// Switches of the point, and those of the host that stand for them.
    pub map_switch: Vec<(String, String)>,
    /// What happens with networks.
    pub network: NetworkPolicy,
    /// The host gives each adapter a new MAC address.
    pub new_mac: bool,
    /// Numbers of the disks that come back; `None`: all.
    pub disks: Option<Vec<u32>>,
    /// All disks are written anew, also where little of them differs.
    pub full: bool,
    /// Id of the restore: what it makes on the host carries it. A restore that goes on with one that
    /// died takes that one's.
    pub run: String,
    /// A folder of this machine that outlives the program: what a restore in place has begun is
    /// written there, so that another can go on with it. It is made where it is missing.
    pub session_folder: PathBuf,
}
