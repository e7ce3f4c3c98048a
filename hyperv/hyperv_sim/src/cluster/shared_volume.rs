//! A volume that all nodes of a cluster see.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A cluster shared volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedVolume {
    /// Its name below `C:\ClusterStorage\`.
    pub name: String,
    /// Its GUID: `\\?\Volume{…}\`.
    pub id: Uuid,
    /// The node that owns its disk: the coordinator.
    pub coordinator: String,
    /// Its size in bytes.
    pub capacity_bytes: u64,
    /// The nodes that keep a snapshot of it for a backup, one entry for each backup.
    pub backups: Vec<String>,
    /// `FaultState`: 0 none, 1 redirected, 2 no access, 4 maintenance, 8 dismounted.
    pub fault_state: u32,
}

impl SharedVolume {
    /// Returns where every node sees it: `C:\ClusterStorage\Volume1`.
    pub fn mount(&self) -> String {
        format!("C:\\ClusterStorage\\{}", self.name)
    }

    /// Returns `\\?\Volume{…}\`.
    pub fn volume_name(&self) -> String {
        format!("\\\\?\\Volume{{{}}}\\", self.id)
    }

    /// Returns the name of the resource that is its disk. Contract: 6 \[M\]
    pub fn disk_resource(&self) -> String {
        format!("Cluster Virtual Disk ({})", self.name)
    }

    /// Returns whether a path, or any of the volume's own names, is on this volume.
    pub fn holds(&self, host_path: &str) -> bool {
        let lower = host_path.replace('/', "\\").to_lowercase();
        let plain = lower.strip_prefix("\\\\?\\").unwrap_or(&lower);
        let names = [
            self.mount().to_lowercase(),
            self.name.to_lowercase(),
            format!("volume{{{}}}", self.id),
        ];
        names.iter().any(|name| {
            plain
                .strip_prefix(name.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('\\'))
        })
    }
}
