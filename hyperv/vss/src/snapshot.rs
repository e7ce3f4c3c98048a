//! Volumes, snapshots of them, and who makes those.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

/// A volume as a snapshot set takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnapshotVolume {
    /// Where paths begin that lie on it, with a backslash at the end: `C:\`,
    /// `C:\ClusterStorage\Volume1\`, `\\server\share\`.
    pub mount: String,
    /// Its name: `\\?\Volume{…}\`, or the share.
    pub name: String,
    /// What sort of volume.
    pub kind: VolumeKind,
}

/// What sort of volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeKind {
    /// A disk of this machine.
    Local,
    /// A cluster shared volume.
    ClusterShared,
    /// A share on a file server.
    FileShare,
}

/// A snapshot (`VSS_SNAPSHOT_PROP`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// Its id.
    pub id: Uuid,
    /// The set that it was made with.
    pub set: Uuid,
    /// Where it is read, without a backslash at the end:
    /// `\\?\GLOBALROOT\Device\HarddiskVolumeShadowCopy1`, or a share.
    pub device: String,
    /// The volume that it is of: [`SnapshotVolume::name`].
    pub volume: String,
    /// Who made it.
    pub provider: Uuid,
    /// `VSS_VOLSNAP_ATTR_…`.
    pub attributes: u32,
    /// When it was made.
    pub created: Timestamp,
}

/// Who makes snapshots (`VSS_PROVIDER_PROP`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Provider {
    /// Its id.
    pub id: Uuid,
    /// Its name, such as `Microsoft Software Shadow Copy provider 1.0`.
    pub name: String,
    /// What sort.
    pub kind: ProviderKind,
    /// Its version.
    pub version: String,
}

/// What sort of provider (`VSS_PROVIDER_TYPE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProviderKind {
    /// Windows' own (1).
    System,
    /// A program (2).
    Software,
    /// A storage array (3).
    Hardware,
    /// File shares (4).
    FileShare,
    /// Not one of these.
    Other,
}
