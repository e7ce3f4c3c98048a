//! A volume that all nodes of a cluster see.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Volume;
use crate::host_state::HostState;

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

impl HostState {
    /// Returns the shared volume that a path is on, where the host is a node.
    pub(crate) fn shared_volume_of(&self, host_path: &str) -> Option<&SharedVolume> {
        self.membership.as_deref()?.facts.volume(host_path)
    }

    /// Lists the shared volumes as volumes of this node: mounted at a folder, with the file system
    /// that such volumes have.
    pub(crate) fn shared_volumes(&self) -> Vec<Volume> {
        let volumes = self.membership.as_deref().map(|own| &own.facts.volumes);
        let volume = |own: &SharedVolume| Volume {
            id: own.id,
            drive: format!("{}\\", own.mount()),
            label: own.name.clone(),
            capacity_bytes: own.capacity_bytes,
            file_system: Some("CSVFS".to_owned()),
            shadow_storage: None,
            growth_bytes_per_second: 0,
            consumed_bytes: 0,
        };
        volumes.into_iter().flatten().map(volume).collect()
    }
}
