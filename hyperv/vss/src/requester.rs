//! The seam: a service, and one backup of it.

use uuid::Uuid;

use crate::{
    BackupType, ComponentId, Provider, Snapshot, SnapshotVolume, VssError, VssErrorKind,
    VssRestore, VssStep, Writer, WriterStatus,
};

/// Asked again and again while something is waited for; `true` ends the waiting.
pub type Cancelled<'a> = &'a dyn Fn() -> bool;

/// The Volume Shadow Copy Service of one machine.
///
/// Errors of all methods: `Absent` where this machine has none, `Denied` without the rights of a
/// backup operator.
pub trait VssService: Send + Sync {
    /// Lists the providers that are installed (`IVssBackupComponents::Query` of providers).
    fn providers(&self) -> Result<Vec<Provider>, VssError>;

    /// Returns the volume that a path lies on, as [`VssBackup::add_volume`] takes it: for a local
    /// disk `GetVolumePathName` and `GetVolumeNameForVolumeMountPoint`, for a cluster shared volume
    /// `ClusterPrepareSharedVolumeForBackup`, for a share `GetRootAndLogicalPrefixPaths`
    /// (contract 5.2).
    ///
    /// # Errors
    ///
    /// `NotFound`; `NotLocal` where another node has to be asked.
    fn volume_of(&self, path: &str) -> Result<SnapshotVolume, VssError>;

    /// Begins a backup: `CreateVssBackupComponents`, `InitializeForBackup`, `EnableWriterClasses`,
    /// `SetContext`, `SetBackupState`.
    fn begin(&self, options: &RequestOptions) -> Result<Box<dyn VssBackup>, VssError>;

    /// Begins a restore through writers of what a backup's document names:
    /// `InitializeForRestore`, `GatherWriterMetadata`.
    ///
    /// # Errors
    ///
    /// `NotSupported` where only backups can be made.
    fn begin_restore(&self, document: &str) -> Result<Box<dyn VssRestore>, VssError> {
        let _ = document;
        let what = "restores through writers cannot be made here";
        let step = VssStep::BeginRestore;
        Err(VssError::new(VssErrorKind::NotSupported, step, what))
    }
}

/// What a backup is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestOptions {
    /// What sort of snapshots.
    pub kind: SnapshotKind,
    /// What writers are told.
    pub backup_type: BackupType,
    /// The only writers that take part; empty: all of them.
    pub writers: Vec<Uuid>,
}

/// What sort of snapshots: the context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotKind {
    /// `VSS_CTX_BACKUP`: writers take part and may repair the snapshot, which goes when the
    /// requester does, also when that dies.
    Backup,
    /// `VSS_CTX_FILE_SHARE_BACKUP`: no writer takes part; for VMs that are saved. The set may be
    /// started at once; writers and their statuses are empty.
    WithoutWriters,
}

/// One backup. Dropping it without [`VssBackup::complete`] aborts it; its snapshots go with it.
///
/// Methods in an order that the service does not know give `BadState`: [`Order`](crate::Order) says
/// which order it knows.
pub trait VssBackup: Send {
    /// Reads what writers tell of themselves (`GatherWriterMetadata`). Once.
    fn writers(&mut self, cancelled: Cancelled<'_>) -> Result<Vec<Writer>, VssError>;

    /// Says that a component is to be backed up (`AddComponent`).
    fn add_component(&mut self, component: &ComponentId) -> Result<(), VssError>;

    /// Begins a set of snapshots that are made at one moment (`StartSnapshotSet`).
    ///
    /// # Errors
    ///
    /// `Busy` where another requester is making one.
    fn start_set(&mut self) -> Result<Uuid, VssError>;

    /// Adds a volume (`AddToSnapshotSet`); `name` is [`SnapshotVolume::name`]. Without a provider
    /// the service chooses one: hardware, software, Windows' own.
    ///
    /// # Errors
    ///
    /// `NotSupported`, `NotLocal`, `NotFound` (provider).
    fn add_volume(&mut self, name: &str, provider: Option<Uuid>) -> Result<Uuid, VssError>;

    /// Lets writers get ready (`PrepareForBackup`).
    fn prepare(&mut self, cancelled: Cancelled<'_>) -> Result<(), VssError>;

    /// Makes the snapshots (`DoSnapshotSet`): writers are frozen, volumes snapped, writers thawed,
    /// and what they have to repair in the snapshot is repaired.
    fn snapshot(&mut self, cancelled: Cancelled<'_>) -> Result<(), VssError>;

    /// Asks where the writers are (`GatherWriterStatus`, `GetWriterStatusEx`).
    fn writer_statuses(&mut self, cancelled: Cancelled<'_>) -> Result<Vec<WriterStatus>, VssError>;

    /// Lists the snapshots of the set (`GetSnapshotProperties`), in the order of the volumes.
    fn snapshots(&mut self) -> Result<Vec<Snapshot>, VssError>;

    /// Says whether a component was backed up (`SetBackupSucceeded`).
    fn set_succeeded(&mut self, component: &ComponentId, succeeded: bool) -> Result<(), VssError>;

    /// Returns the backup components document (`SaveAsXML`), which a restore through the writer
    /// needs.
    fn document(&mut self) -> Result<String, VssError>;

    /// Tells writers that the backup has ended (`BackupComplete`).
    fn complete(&mut self, cancelled: Cancelled<'_>) -> Result<(), VssError>;

    /// Removes the snapshots of the set (`DeleteSnapshots`).
    fn delete_set(&mut self) -> Result<(), VssError>;

    /// Ends the backup as a failure (`AbortBackup`), and removes its snapshots. Can be called at
    /// any time, and again; what it cannot do goes with the requester.
    fn abort(&mut self);
}
