//! The snapshots of a set: asked for, made, told of, removed.

use jiff::Timestamp;
use uuid::Uuid;
use windows_core::PCWSTR;

use super::bindings::VSS_SNAPSHOT_PROP;
use super::foreign_text::{check, failure, guid, of_pointer, uuid, wide};
use super::requester::Requester;
use crate::{Snapshot, VssError, VssErrorKind, VssStep};

/// `VSS_OBJECT_SNAPSHOT_SET`
const OBJECT_SNAPSHOT_SET: i32 = 2;

impl Requester {
    /// `StartSnapshotSet`
    pub(super) fn start_set(&mut self) -> Result<Uuid, VssError> {
        // SAFETY: a plain call.
        let started = unsafe { self.components.StartSnapshotSet() };
        let set = started
            .map(uuid)
            .map_err(|error| failure(&error, VssStep::StartSet, "StartSnapshotSet"))?;
        self.set = Some(set);
        Ok(set)
    }

    /// `AddToSnapshotSet`
    pub(super) fn add_volume(
        &mut self,
        name: &str,
        provider: Option<Uuid>,
    ) -> Result<Uuid, VssError> {
        let step = VssStep::AddVolume;
        let volume = wide(name, step)?;
        let provider = guid(provider.unwrap_or(Uuid::nil()));
        // SAFETY: the name ends in a zero and outlives the call.
        let added = unsafe {
            self.components
                .AddToSnapshotSet(PCWSTR(volume.as_ptr()), provider)
        };
        let snapshot = added
            .map(uuid)
            .map_err(|error| failure(&error, step, &format!("AddToSnapshotSet of {name}")))?;
        self.snapshots.push(snapshot);
        Ok(snapshot)
    }

    /// `DoSnapshotSet`
    pub(super) fn snapshot(&self) -> Result<(), VssError> {
        // SAFETY: a plain call.
        let begun = unsafe { self.components.DoSnapshotSet() };
        self.waiting()
            .end_of(begun, VssStep::Snapshot, "DoSnapshotSet")
    }

    /// `GetSnapshotProperties` of each snapshot.
    pub(super) fn list_snapshots(&self) -> Result<Vec<Snapshot>, VssError> {
        self.snapshots
            .iter()
            .map(|id| self.properties(*id))
            .collect()
    }

    fn properties(&self, id: Uuid) -> Result<Snapshot, VssError> {
        let step = VssStep::Snapshots;
        let mut properties = VSS_SNAPSHOT_PROP::default();
        // SAFETY: `properties` is a place for the answer, which is freed below.
        let code = unsafe {
            self.components
                .GetSnapshotProperties(guid(id), &raw mut properties)
        };
        check(code, step, &format!("GetSnapshotProperties of {id}"))?;
        // SAFETY: the call succeeded, so the texts are null or end in a zero.
        let (device, volume) = unsafe {
            (
                of_pointer(properties.m_pwszSnapshotDeviceObject),
                of_pointer(properties.m_pwszOriginalVolumeName),
            )
        };
        let created = timestamp(properties.m_tsCreationTimestamp);
        let snapshot = Snapshot {
            id: uuid(properties.m_SnapshotId),
            set: uuid(properties.m_SnapshotSetId),
            device: device.trim_end_matches('\\').to_owned(),
            volume,
            provider: uuid(properties.m_ProviderId),
            attributes: properties.m_lSnapshotAttributes.cast_unsigned(),
            created: created.unwrap_or(Timestamp::UNIX_EPOCH),
        };
        // SAFETY: the service filled it, and nothing refers to its texts any more.
        unsafe { self.library.free_properties(&mut properties) };
        if snapshot.device.is_empty() {
            let what = format!("GetSnapshotProperties of {id} names no device");
            return Err(VssError::new(VssErrorKind::Provider, step, what));
        }
        Ok(snapshot)
    }

    /// `DeleteSnapshots` of the set.
    pub(super) fn delete_set(&mut self, step: VssStep) -> Result<(), VssError> {
        let Some(set) = self.set else {
            return Ok(());
        };
        let (deleted, mut first_left) = (0_i32, guid(Uuid::nil()));
        let mut deleted = deleted;
        // SAFETY: both places are for answers.
        let code = unsafe {
            self.components.DeleteSnapshots(
                guid(set),
                OBJECT_SNAPSHOT_SET,
                true,
                (&raw mut deleted).cast_const(),
                (&raw mut first_left).cast_const(),
            )
        };
        let left = uuid(first_left);
        check(
            code,
            step,
            &format!("DeleteSnapshots of {set}, from {left} on"),
        )?;
        self.set = None;
        self.snapshots.clear();
        Ok(())
    }
}

/// `VSS_TIMESTAMP`: hundreds of nanoseconds since 1601.
fn timestamp(since_1601: i64) -> Option<Timestamp> {
    const TO_1970: i64 = 116_444_736_000_000_000;
    let since_1970 = since_1601.checked_sub(TO_1970)?;
    Timestamp::from_nanosecond(i128::from(since_1970) * 100).ok()
}
