//! What a host says of itself.

use wmi::{CIMV2, WmiError, WmiSession};

use super::volume::volume_of;
use super::{ClusterFacts, VolumeFacts, WindowsVersion};

/// What a host says of itself, at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostState {
    /// Its own name for itself, which is how a cluster names its nodes.
    pub(crate) computer: String,
    /// The Windows that it runs.
    pub(crate) windows: WindowsVersion,
    /// Its volumes.
    pub(crate) volumes: Vec<VolumeFacts>,
    /// The cluster that it is a node of.
    pub(crate) cluster: Option<ClusterFacts>,
}

impl HostState {
    /// Reads it, in at most five calls.
    pub(crate) fn read(session: &dyn WmiSession) -> Result<Self, WmiError> {
        let windows = session.query_all(CIMV2, "SELECT * FROM Win32_OperatingSystem")?;
        let windows = windows.into_iter().next().unwrap_or_default();
        Ok(Self {
            computer: windows.text("CSName").unwrap_or_default(),
            windows: WindowsVersion::of(&windows),
            volumes: read_volumes(session)?,
            cluster: ClusterFacts::read(session)?,
        })
    }

    /// Returns the volume that a path of the host lies on.
    pub(crate) fn volume_of(&self, path: &str) -> Option<&VolumeFacts> {
        volume_of(&self.volumes, path)
    }
}

/// Reads the volumes alone: one call, to watch them fill.
pub(crate) fn read_volumes(session: &dyn WmiSession) -> Result<Vec<VolumeFacts>, WmiError> {
    let volumes = session.query_all(CIMV2, "SELECT * FROM Win32_Volume")?;
    Ok(volumes.iter().filter_map(VolumeFacts::of).collect())
}
