//! What is asked of a host when it is to be backed up.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use vm_config::DiskSlot;

use crate::Consistency;

/// How a VM is read (requirements MODE-01 to MODE-03).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackupMode {
    /// The latest state, with the host's own changed-block tracking.
    #[default]
    Tracked,
    /// The latest state, read in full: what is known is not stored again.
    Standard,
    /// All checkpoints: configuration, memory and image files of the whole tree, as they are
    /// (requirement MODE-04). On a host this goes through its VSS writer.
    AllCheckpoints,
}

/// Whether a VM that cannot be frozen while it runs may be saved for the snapshot (requirements
/// MODE-14, SAVE-14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SavedState {
    /// The VM gets no point; the plan says what saving it would take.
    #[default]
    Refuse,
    /// It is saved and brought back; the report says for how long it did not run.
    Allow,
}

/// How many VMs a volume snapshot serves (requirement VSS-17).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SnapshotSets {
    /// All VMs of the run that need one.
    #[default]
    Shared,
    /// One VM each.
    PerVm,
}

/// What happens where a required level of consistency is missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnMissed {
    /// The VM gets no point.
    #[default]
    Fail,
    /// The VM gets a point, with a warning.
    Warn,
    /// The VM gets a point; its level is told, and nothing else.
    Accept,
}

/// What VSS writers in the guest are told (`VSS_BT_FULL`, `VSS_BT_COPY`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GuestBackup {
    /// A full backup: applications may cut their logs.
    Full,
    /// A copy: applications leave their logs as they are, and other backups are not disturbed.
    #[default]
    Copy,
}

/// What happens with a disk that a host cannot freeze.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnfreezableDisks {
    /// The VM gets a point without it, with a warning.
    #[default]
    LeaveOut,
    /// The VM gets no point.
    Refuse,
}

/// How often a VM that is busy is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Tries in all, at least 1.
    pub attempts: u32,
    /// Pause after the first try; each later one is twice as long, up to ten minutes.
    pub first_wait: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 5,
            first_wait: Duration::from_secs(15),
        }
    }
}

/// Room that must stay free on a volume on which a checkpoint grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// What must be free before a checkpoint is made, as a share of the VM's disks on the volume.
    pub growth_percent: u8,
    /// What must stay free at any time, in bytes. Below it the run gives up and merges.
    pub reserve_bytes: u64,
    /// How often the volume is looked at while the VM is read.
    pub watch_every: Duration,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            growth_percent: 5,
            reserve_bytes: 2 << 30,
            watch_every: Duration::from_secs(10),
        }
    }
}

/// What is asked of a host for one VM.
#[derive(Debug, Clone, Default)]
pub struct BackupRequest {
    /// How it is read.
    pub mode: BackupMode,
    /// The least level that will do; without one, the best that can be had is taken.
    pub require: Option<Consistency>,
    /// What happens where that is missed.
    pub on_missed: OnMissed,
    /// What applications in the guest are told.
    pub guest_backup: GuestBackup,
    /// What happens with disks that cannot be frozen.
    pub unfreezable: UnfreezableDisks,
    /// Whether the VM may be saved where nothing else freezes it.
    pub saved_state: SavedState,
    /// How many VMs a volume snapshot serves.
    pub snapshot_sets: SnapshotSets,
    /// Who makes volume snapshots, by name or GUID; without one Windows chooses.
    pub snapshot_provider: Option<String>,
    /// The VM's replication is paused for the snapshot, and resumed whatever happens
    /// (requirement RVM-07).
    pub pause_replication: bool,
    /// Refuse a VM whose checkpoints lie on another volume than its disks (requirement PRE-27).
    pub same_volume: bool,
    /// Disks that are left out on purpose.
    pub exclude: Vec<DiskSlot>,
    /// Patience with a VM that is busy.
    pub retry: Retry,
    /// Room on the volumes.
    pub room: Room,
    /// Id of the run: what it makes on the host carries it.
    pub run: String,
    /// Id of the place that the point goes to: what a dead run has left is judged by the points
    /// of the same place alone.
    pub repository: String,
}

/// The last point of a VM, as far as a host must know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviousBackup {
    /// Id of the point.
    pub point: String,
    /// Its disks.
    pub disks: Vec<PreviousDisk>,
}

/// A disk of the last point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviousDisk {
    /// Position among the disks of that point.
    pub number: u32,
    /// The leaf as the configuration named it then.
    pub configured_path: String,
    /// Where it was attached.
    pub slot: Option<DiskSlot>,
    /// The virtual disk's own id.
    pub disk_id: Option<String>,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// What the host gave then, to be given back to it; opaque to everybody else.
    pub cursor: Option<String>,
}
