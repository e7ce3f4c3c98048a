//! Volumes of the host, and the room on them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A volume of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Its GUID: `\\?\Volume{…}\`.
    pub id: Uuid,
    /// The drive, such as `C:\`.
    pub drive: String,
    /// What people call it.
    pub label: String,
    /// Its size in bytes.
    pub capacity_bytes: u64,
    /// What others fill it by, in bytes each second of the host's clock.
    pub growth_bytes_per_second: u64,
    /// What others have filled it with so far, in bytes.
    pub consumed_bytes: u64,
}

/// A volume with the room that is left on it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VolumeRoom {
    /// The volume.
    pub volume: Volume,
    /// What is free, in bytes: capacity less real files less what others use.
    pub free_bytes: u64,
}
