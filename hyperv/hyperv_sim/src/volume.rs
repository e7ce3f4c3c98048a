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
    /// Its file system; `None`: NTFS.
    #[serde(default)]
    pub file_system: Option<String>,
    /// Where its snapshots keep what is overwritten, where that was set.
    #[serde(default)]
    pub shadow_storage: Option<ShadowStorage>,
    /// What others fill it by, in bytes each second of the host's clock.
    pub growth_bytes_per_second: u64,
    /// What others have filled it with so far, in bytes.
    pub consumed_bytes: u64,
}

/// Where snapshots of a volume keep what is overwritten (`Win32_ShadowStorage`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowStorage {
    /// The drive of the volume that holds it, such as `C:\`.
    pub drive: String,
    /// Most that it may grow to, in bytes.
    pub max_bytes: u64,
}

/// A volume with the room that is left on it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VolumeRoom {
    /// The volume.
    pub volume: Volume,
    /// What is free, in bytes: capacity less real files less what others use.
    pub free_bytes: u64,
}
