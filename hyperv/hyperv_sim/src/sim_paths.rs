//! Where the host's paths lie on this machine, as whoever reads its disks asks.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use disk_image::{DriveMap, HostPaths};

use crate::SimHost;
use crate::vss::shadow_folder_of;

/// The paths of a simulated host: its drives, and the snapshots of its volumes as they come and go.
///
/// Nothing is kept: each path is looked up in the folder of the host as it is then.
pub struct SimPaths {
    host: Arc<SimHost>,
}

impl SimPaths {
    /// Makes the paths of a host.
    pub fn new(host: Arc<SimHost>) -> Self {
        Self { host }
    }

    fn drives(&self) -> Option<DriveMap> {
        let mut map = DriveMap::new();
        for (prefix, folder) in self.host.drives().ok()? {
            map = map.with(&prefix, &folder).ok()?;
        }
        Some(map)
    }
}

impl fmt::Debug for SimPaths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SimPaths").field(&self.host.dir()).finish()
    }
}

impl HostPaths for SimPaths {
    fn locate(&self, host_path: &str) -> Option<PathBuf> {
        if let Some((folder, rest)) = shadow_folder_of(self.host.dir(), host_path) {
            // Any drive does: the folder stands for the device.
            let map = DriveMap::new().with("S:\\", &folder).ok()?;
            return map.locate(&format!("S:\\{rest}"));
        }
        self.drives()?.locate(host_path)
    }

    fn place(&self, host_path: &str) -> Option<PathBuf> {
        // Nothing is made on a snapshot.
        self.drives()?.place(host_path)
    }

    fn roots(&self) -> Vec<PathBuf> {
        let drives = self.host.drives().unwrap_or_default();
        let drives = drives.into_iter().map(|(_, folder)| folder);
        drives
            .chain([crate::vss::shadows_folder(self.host.dir())])
            .collect()
    }
}
