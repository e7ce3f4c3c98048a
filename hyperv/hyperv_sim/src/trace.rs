//! What happened on the host, in order: backups through VSS, power, replication, the cluster.
//!
//! The trace is a file of its own, `trace`, one line of JSON for each event. Lines are added when
//! the operation that they belong to is saved.

use std::fmt;
use std::io::Write as _;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::host_state::HostState;
use crate::{SimError, SimErrorKind, SimHost};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceEvent {
    /// When, on the host's clock.
    pub time: Timestamp,
    /// The VM that it happened to; `None`: to the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vm: Option<Uuid>,
    /// What happened.
    #[serde(flatten)]
    pub kind: TraceKind,
}

/// What happened. The words of VSS are those of its writers' events.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TraceKind {
    /// A requester began a backup.
    BackupBegun,
    /// Writers told of themselves.
    Identify,
    /// Writers were told what is to be backed up.
    PrepareForBackup,
    /// Writers were told that volumes are about to be snapped.
    PrepareForSnapshot,
    /// The guest's requestor was asked for a snapshot of its own.
    GuestAsked,
    /// The guest made it.
    GuestSnapshot,
    /// The writer made a checkpoint.
    CheckpointCreated,
    /// Writers hold still.
    Freeze,
    /// A volume was snapped.
    VolumeSnapshot {
        /// The volume.
        volume: String,
        /// Where the snapshot is read.
        device: String,
    },
    /// Writers go on.
    Thaw,
    /// `-AutoRecovery.avhdx` was made on the volume snapshot, and the guest recovered in it.
    AutoRecovery,
    /// A disk on the volume snapshot was taken back to the guest's own snapshot, as hosts before
    /// 2012 R2 do.
    GuestSnapshotReverted,
    /// Writers were told that the volumes are snapped.
    PostSnapshot,
    /// The writer's checkpoint is gone; its files are to be merged.
    CheckpointRemoved,
    /// The files of a VM were merged.
    Merged,
    /// Writers were told that the backup has ended.
    BackupComplete,
    /// Writers were told that it has failed.
    Abort,
    /// Writers were told that a restore is about to begin.
    PreRestore,
    /// Writers were told that the files of a restore are in place.
    PostRestore,
    /// The requester died.
    RequesterDied,
    /// A volume snapshot is gone.
    SnapshotDeleted {
        /// Where it was read.
        device: String,
    },
    /// A VM was saved.
    Saved,
    /// A VM was paused.
    Paused,
    /// A VM that was saved or paused runs again.
    Resumed,
    /// A VM was started.
    Started,
    /// A VM was turned off or shut down.
    Stopped,
    /// Something was written to the event log.
    Event {
        /// Its number.
        id: u32,
        /// Its text.
        text: String,
    },
    /// The cluster found a VM that should run stopped, saved or gone, and had not done that itself.
    ClusterSurprise,
    /// Replication of a VM was paused.
    ReplicationPaused,
    /// Replication of a VM goes on.
    ReplicationResumed,
}

impl SimHost {
    /// Lists what happened on the host so far, in order.
    pub fn trace(&self) -> Result<Vec<TraceEvent>, SimError> {
        self.look(|state| {
            let path = state.dir().join("trace");
            let text = match std::fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(SimError::io(path.display(), error)),
            };
            text.lines()
                .map(|line| {
                    serde_json::from_str(line).map_err(|error| {
                        let what = format!("{} cannot be understood: {error}", path.display());
                        SimError::new(SimErrorKind::Storage, what)
                    })
                })
                .collect()
        })
    }

    /// Forgets what happened so far.
    pub fn clear_trace(&self) -> Result<(), SimError> {
        self.look(|state| crate::host_folder::remove_if_there(&state.dir().join("trace")))
    }
}

impl HostState {
    /// Notes that something happened.
    pub(crate) fn trace(&mut self, vm: Option<Uuid>, kind: TraceKind) {
        let time = self.now;
        self.unsaved.trace.push(TraceEvent { time, vm, kind });
    }
}

/// Adds events to the trace of the host in a folder.
pub(crate) fn append(dir: &std::path::Path, events: &[TraceEvent]) -> Result<(), SimError> {
    if events.is_empty() {
        return Ok(());
    }
    let mut text = Vec::new();
    for event in events {
        serde_json::to_writer(&mut text, event)
            .map_err(|error| SimError::new(SimErrorKind::Storage, error.to_string()))?;
        text.push(b'\n');
    }
    let path = dir.join("trace");
    let mut options = std::fs::OpenOptions::new();
    let file = options.append(true).create(true).open(&path);
    let added = file.and_then(|mut file| file.write_all(&text));
    added.map_err(|error| SimError::io(path.display(), error))
}

impl TraceKind {
    /// Returns its name, such as `prepare-for-snapshot`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::BackupBegun => "backup-begun",
            Self::Identify => "identify",
            Self::PrepareForBackup => "prepare-for-backup",
            Self::PrepareForSnapshot => "prepare-for-snapshot",
            Self::GuestAsked => "guest-asked",
            Self::GuestSnapshot => "guest-snapshot",
            Self::CheckpointCreated => "checkpoint-created",
            Self::Freeze => "freeze",
            Self::VolumeSnapshot { .. } => "volume-snapshot",
            Self::Thaw => "thaw",
            Self::AutoRecovery => "auto-recovery",
            Self::GuestSnapshotReverted => "guest-snapshot-reverted",
            Self::PostSnapshot => "post-snapshot",
            Self::CheckpointRemoved => "checkpoint-removed",
            Self::Merged => "merged",
            Self::BackupComplete => "backup-complete",
            Self::Abort => "abort",
            Self::PreRestore => "pre-restore",
            Self::PostRestore => "post-restore",
            Self::RequesterDied => "requester-died",
            Self::SnapshotDeleted { .. } => "snapshot-deleted",
            Self::Saved => "saved",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Started => "started",
            Self::Stopped => "stopped",
            Self::Event { .. } => "event",
            Self::ClusterSurprise => "cluster-surprise",
            Self::ReplicationPaused => "replication-paused",
            Self::ReplicationResumed => "replication-resumed",
        }
    }
}

impl fmt::Display for TraceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.time, self.kind.name())?;
        if let Some(vm) = self.vm {
            write!(f, " {vm}")?;
        }
        match &self.kind {
            TraceKind::VolumeSnapshot { volume, device } => write!(f, " {volume} {device}"),
            TraceKind::SnapshotDeleted { device } => write!(f, " {device}"),
            TraceKind::Event { id, text } => write!(f, " {id} {text}"),
            _ => Ok(()),
        }
    }
}
