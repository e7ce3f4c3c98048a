//! What can be asked of the host: each starts a job, or is done at once.
//!
//! Checks that a real host makes before it answers are made before the job is started and are
//! errors; what goes wrong later is the job's own end.

use std::ops::Range;

use uuid::Uuid;

use crate::host_state::HostState;
use crate::{Consistency, JobFault, PowerState, SimError, SimErrorKind, SnapshotSettings};

/// The answer to a question about changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// How many bytes, from the offset that was asked for, the answer covers.
    pub processed_bytes: u64,
    /// What changed, in ascending order, in bytes of the virtual disk.
    pub ranges: Vec<Range<u64>>,
}

fn not_yet() -> SimError {
    SimError::new(SimErrorKind::NotSupported, "this is not there yet")
}

impl HostState {
    /// `CreateSnapshot`: returns the job; its result is the checkpoint.
    ///
    /// Errors at once: `NotFound`, `Conflict`, `InvalidState`, `NotSupported`. In the job: the
    /// guest's VSS does not answer, a disk cannot be frozen, no room.
    pub(crate) fn create_snapshot(
        &mut self,
        _vm: Uuid,
        _settings: &SnapshotSettings,
    ) -> Result<Uuid, SimError> {
        Err(not_yet())
    }

    /// `DestroySnapshot`, or with `tree` `DestroySnapshotTree`: returns the job. Files are merged
    /// later.
    pub(crate) fn destroy_snapshot(
        &mut self,
        _snapshot: Uuid,
        _tree: bool,
    ) -> Result<Uuid, SimError> {
        Err(not_yet())
    }

    /// `ApplySnapshot`: returns the job. The VM's current state is lost.
    pub(crate) fn apply_snapshot(&mut self, _snapshot: Uuid) -> Result<Uuid, SimError> {
        Err(not_yet())
    }

    /// `ConvertToReferencePoint`: returns the job; its result is the reference point.
    pub(crate) fn convert_to_reference_point(&mut self, _snapshot: Uuid) -> Result<Uuid, SimError> {
        Err(not_yet())
    }

    /// `CreateReferencePoint`: returns the job; its result is the reference point.
    pub(crate) fn create_reference_point(
        &mut self,
        _vm: Uuid,
        _consistency: Consistency,
    ) -> Result<Uuid, SimError> {
        Err(not_yet())
    }

    /// `DestroyReferencePoint`: returns the job.
    pub(crate) fn destroy_reference_point(&mut self, _point: Uuid) -> Result<Uuid, SimError> {
        Err(not_yet())
    }

    /// `ExportSystemDefinition`: writes the configuration, and `with_disks` the flattened disks, of
    /// a checkpoint or of the VM to a folder of the host; returns the job.
    pub(crate) fn export(
        &mut self,
        _vm: Uuid,
        _snapshot: Option<Uuid>,
        _folder: &str,
        _with_disks: bool,
    ) -> Result<Uuid, SimError> {
        Err(not_yet())
    }

    /// `ModifySystemSettings` with another `ElementName`: renames a checkpoint, at once.
    pub(crate) fn rename_snapshot(&mut self, _snapshot: Uuid, _name: &str) -> Result<(), SimError> {
        Err(not_yet())
    }

    /// `ModifySystemSettings` with another `ElementName`: renames a VM, at once.
    pub(crate) fn rename_vm(&mut self, _vm: Uuid, _name: &str) -> Result<(), SimError> {
        Err(not_yet())
    }

    /// `RequestStateChange`: takes a VM to `Running`, `Off`, `Saved` or `Paused`, at once.
    pub(crate) fn change_power(&mut self, _vm: Uuid, _power: PowerState) -> Result<(), SimError> {
        Err(not_yet())
    }

    /// `GetVirtualDiskChanges`: what changed between `limit_id` and the frozen (or current) state
    /// of the file at `path`.
    ///
    /// Errors: `NotFound`; `Tracking` with 0xC03A0029 malformed id, 0xC03A002A tracking off,
    /// 0xC03A0030 unknown id, 0xC03A0022 changed offline, 0xC03A0024 inconsistent.
    pub(crate) fn changes(
        &self,
        _path: &str,
        _limit_id: &str,
        _offset: u64,
        _len_bytes: u64,
    ) -> Result<Changes, SimError> {
        Err(not_yet())
    }

    /// `ModifyDiskMergeSettings`: lets a VM's merges go on, or holds them back.
    pub(crate) fn enable_merges(&mut self, _vm: Uuid, _enabled: bool) -> Result<(), SimError> {
        Err(not_yet())
    }

    /// Plans what goes wrong with a job that has not ended.
    pub(crate) fn spoil_job(&mut self, _job: Uuid, _fault: JobFault) -> Result<(), SimError> {
        Err(not_yet())
    }

    /// `RequestStateChange` of a job to 4 (terminate) or, with `kill`, 5.
    pub(crate) fn end_job(&mut self, _job: Uuid, _kill: bool) -> Result<(), SimError> {
        Err(not_yet())
    }

    /// Ends a job now, as if its time had come: for methods that answer 0 instead of 4096.
    pub(crate) fn finish_job_now(&mut self, _job: Uuid) -> Result<(), SimError> {
        Err(not_yet())
    }

    /// `AttachVirtualHardDisk`: attaches an image to the host itself; returns its id.
    pub(crate) fn mount_image(&mut self, _path: &str, _read_only: bool) -> Result<Uuid, SimError> {
        Err(not_yet())
    }

    /// `DetachVirtualHardDisk`.
    pub(crate) fn unmount_image(&mut self, _id: Uuid) -> Result<(), SimError> {
        Err(not_yet())
    }
}
