//! Cluster shared volumes, and who coordinates each (contract 5.2, 6).

use std::collections::HashMap;

use wmi::{CLUSTER, Instance, WmiError, WmiErrorKind, WmiSession};

/// A cluster shared volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SharedVolume {
    /// Where every node sees it, without `\` at the end: `C:\ClusterStorage\Volume1`.
    pub(crate) mount: String,
    /// `\\?\Volume{…}\`
    pub(crate) name: String,
    /// The node that owns its disk: changes of its metadata, and snapshots, are made there.
    pub(crate) coordinator: Option<String>,
    /// A backup is making, or keeps, a snapshot of it.
    pub(crate) in_backup: bool,
    /// `CLUSTER_CSV_VOLUME_FAULT_STATE`: 0 none, else bits for redirected, no access, maintenance
    /// and dismounted.
    pub(crate) faults: u32,
}

impl SharedVolume {
    /// Nobody can read or write it.
    pub(crate) fn is_lost(&self) -> bool {
        const NO_ACCESS: u32 = 2;
        const DISMOUNTED: u32 = 8;
        self.faults & (NO_ACCESS | DISMOUNTED) != 0
    }
}

/// Reads the cluster shared volumes in three calls.
pub(crate) fn shared_volumes(session: &dyn WmiSession) -> Result<Vec<SharedVolume>, WmiError> {
    let all = |wql: &str| match session.query_all(CLUSTER, wql) {
        // Clusters before 2008 R2 have none, and some providers say so for an empty list.
        Err(error) if error.kind() == WmiErrorKind::NoClass => Ok(Vec::new()),
        other => other,
    };
    let volumes = all("SELECT * FROM MSCluster_ClusterSharedVolume")?;
    if volumes.is_empty() {
        return Ok(Vec::new());
    }
    let links = all("SELECT * FROM MSCluster_ClusterSharedVolumeToResource")?;
    let disks = all("SELECT * FROM MSCluster_Resource WHERE Type = \"Physical Disk\"")?;
    let owners: HashMap<String, String> = disks
        .iter()
        .filter_map(|disk| Some((disk.text("Name")?, disk.text("OwnerNode")?)))
        .collect();
    let coordinators = links
        .iter()
        .filter_map(|link| {
            let resource = key_of(link, "PartComponent")?;
            Some((key_of(link, "GroupComponent")?, owners.get(&resource)?))
        })
        .collect::<HashMap<_, _>>();
    let volume = |volume: &Instance| {
        let mount = volume.text("Name")?;
        Some(SharedVolume {
            coordinator: coordinators.get(&mount).map(|owner| (*owner).clone()),
            mount: mount.trim_end_matches('\\').to_owned(),
            name: volume.text("VolumeName").unwrap_or_default(),
            in_backup: volume.number("BackupState").unwrap_or(0_u32) != 0,
            faults: volume.number("FaultState").unwrap_or(0),
        })
    };
    Ok(volumes.iter().filter_map(volume).collect())
}

/// Returns the name in a reference; objects of a cluster are named by it alone.
fn key_of(link: &Instance, side: &str) -> Option<String> {
    let path = link.value(side).to_reference()?;
    path.key("Name").map(str::to_owned)
}
