//! Freeze, the volume snapshots themselves, and thaw.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;
use vss::{VssError, VssErrorKind, VssStep, WriterState};

use super::failure::{
    INSUFFICIENT_STORAGE, OBJECT_NOT_FOUND, WRITER_TIMEOUT, failure, failure_of_code, of_host,
};
use super::provider::SYSTEM_PROVIDER;
use super::session::SetVolume;
use super::shadow_copy::SnapshotOrder;
use super::snap_volume::SnapVolume;
use super::strike::VssStrike;
use crate::host_state::HostState;
use crate::{PowerState, SimErrorKind, TraceKind};

const STEP: VssStep = VssStep::Snapshot;
/// How long writers hold still. Contract: 5.2 [M]
const FREEZE_MS_MAX: i64 = 60_000;
/// How long the system provider holds back writes. Contract: 5.2 [M]
const HOLD_MS_MAX: i64 = 10_000;
/// What a snapshot needs on its volume, in bytes. Contract: 5.2 [M]
const ROOM_BYTES: u64 = 8 << 20;
/// Volumes of at least this size are never full here.
const ENDLESS_BYTES: u64 = 1 << 40;
/// `VSS_E_HOLD_WRITES_TIMEOUT`
const HOLD_WRITES_TIMEOUT: u32 = 0x8004_2314;

impl HostState {
    /// Freezes writers, snaps the volumes of the set, and thaws them.
    pub(crate) fn snap_volumes_of_set(&mut self, id: Uuid) -> Result<(), VssError> {
        let with_writers = self.session(id, STEP)?.with_writers;
        if with_writers {
            self.write_meanwhile(id)?;
            let strike =
                self.strike_vss(Some(id), STEP, "Freeze", &self.session(id, STEP)?.vms())?;
            self.trace(None, TraceKind::Freeze);
            self.note_writer(id, WriterState::FailedAtFreeze, &strike)?;
            self.session_mut(id, STEP)?
                .writer
                .go_on(WriterState::WaitingForThaw);
            strike.after.map_or(Ok(()), Err)?;
        }
        let frozen = self.now;
        let vms = self.session(id, STEP)?.vms();
        let strike = self.strike_vss(Some(id), STEP, "VolumeSnapshot", &vms)?;
        for volume in self.session(id, STEP)?.volumes.clone() {
            self.snap_one(id, &volume, frozen)?;
        }
        strike.after.map_or(Ok(()), Err)?;
        if !with_writers {
            return Ok(());
        }
        let strike = self.strike_vss(Some(id), STEP, "Thaw", &vms)?;
        self.trace(None, TraceKind::Thaw);
        self.note_writer(id, WriterState::FailedAtThaw, &strike)?;
        let writer_is_late = self.now.as_millisecond() - frozen.as_millisecond() > FREEZE_MS_MAX;
        let writer = &mut self.session_mut(id, STEP)?.writer;
        if writer_is_late {
            let message = "the snapshots were not made in time".to_owned();
            writer.fail(WriterState::FailedAtThaw, WRITER_TIMEOUT, Some(message));
        }
        writer.go_on(WriterState::WaitingForPostSnapshot);
        strike.after.map_or(Ok(()), Err)
    }

    /// Lets a fault strike the writer, or a VM, in a step that is not one VM's.
    pub(crate) fn note_writer(
        &mut self,
        id: Uuid,
        at: WriterState,
        strike: &VssStrike,
    ) -> Result<(), VssError> {
        match strike.component {
            Some((vm, _)) => self.note_outcome(id, vm, at, Ok(()), strike),
            None => {
                if let Some(code) = strike.writer {
                    let writer = &mut self.session_mut(id, STEP)?.writer;
                    writer.fail(at, code, Some(format!("the writer failed (0x{code:08X})")));
                }
                Ok(())
            }
        }
    }

    fn snap_one(
        &mut self,
        id: Uuid,
        wanted: &SetVolume,
        frozen: Timestamp,
    ) -> Result<(), VssError> {
        let volume = self
            .snap_volume_named(&wanted.name)
            .ok_or_else(|| failure_of_code(STEP, OBJECT_NOT_FOUND))?;
        self.check_is_allowed(&volume, STEP)?;
        let array = self.hardware_provider(wanted.provider);
        let takes = array.map_or(self.facts.behavior.volume_snapshot_ms, |array| {
            array.volume_snapshot_ms
        });
        if array.is_none() {
            self.check_room_for_snapshot(&volume)?;
        }
        let host = |error| of_host(STEP, &error);
        self.pass(Duration::from_millis(takes)).map_err(host)?;
        let held = self.now.as_millisecond() - frozen.as_millisecond();
        if wanted.provider == SYSTEM_PROVIDER && held > HOLD_MS_MAX {
            return Err(failure_of_code(STEP, HOLD_WRITES_TIMEOUT));
        }
        let session = self.session(id, STEP)?;
        let order = SnapshotOrder {
            id: wanted.snapshot,
            set: session.set.unwrap_or_default(),
            session: id,
            provider: wanted.provider,
            with_writers: session.with_writers,
        };
        self.snap_volume(&volume, &order).map_err(host)
    }

    /// Fails where this node may not snap a volume now: a cluster shared volume that another node
    /// coordinates, or that another backup keeps a snapshot of (contract 5.2).
    pub(crate) fn check_is_allowed(
        &self,
        volume: &SnapVolume,
        step: VssStep,
    ) -> Result<(), VssError> {
        self.volume_snapshot_allowed(&volume.mount)
            .map_err(|error| {
                let kind = match error.kind() {
                    SimErrorKind::Conflict => VssErrorKind::Busy,
                    _ => VssErrorKind::NotLocal,
                };
                failure(kind, step, error.code(), error.to_string())
            })
    }

    fn check_room_for_snapshot(&self, volume: &SnapVolume) -> Result<(), VssError> {
        let own = self.volume_of(&volume.mount);
        let small = own.filter(|own| own.capacity_bytes < ENDLESS_BYTES);
        // Adding up all files takes its time.
        let room = small.map(|own| self.room_on(&own)).transpose();
        let room = room.map_err(|error| of_host(STEP, &error))?;
        let free = room.map(|room| room.free_bytes);
        if free.is_none_or(|free| free >= ROOM_BYTES) {
            return Ok(());
        }
        Err(failure(
            VssErrorKind::NoRoom,
            STEP,
            INSUFFICIENT_STORAGE,
            format!(
                "there is not enough storage for a snapshot of {}",
                volume.mount
            ),
        ))
    }

    /// Lets guests write what they write between their own snapshot and that of the volume.
    fn write_meanwhile(&mut self, id: Uuid) -> Result<(), VssError> {
        for vm in self.session(id, STEP)?.vms() {
            let Ok(owner) = self.vm(vm) else { continue };
            if owner.power != PowerState::Running {
                continue;
            }
            for write in owner.guest_plan.meanwhile.clone() {
                let writes = [(write.offset, write.bytes)];
                let written = self.guest_writes(vm, write.disk, &writes);
                written.map_err(|error| of_host(STEP, &error))?;
            }
        }
        Ok(())
    }
}
