//! One backup, as its requester sees it.

use std::sync::Arc;

use uuid::Uuid;
use vss::{
    Cancelled, ComponentId, HYPERV_WRITER, Snapshot, VssBackup, VssError, VssErrorKind, VssStep,
    Writer, WriterState, WriterStatus,
};

use super::failure::{ABORTED, failure, of_host};
use super::requester_life::RequesterLife;
use super::service::call;
use super::session::{Phase, Session, bad_state};
use super::strike::{VssStrike, call_name};
use crate::SimHost;
use crate::host_state::HostState;

/// One backup. Its session is the host's; this is what keeps it alive.
pub(crate) struct SimBackup {
    host: Arc<SimHost>,
    session: Uuid,
    _life: RequesterLife,
}

impl SimBackup {
    pub(crate) fn new(host: Arc<SimHost>, session: Uuid, life: RequesterLife) -> Self {
        Self {
            host,
            session,
            _life: life,
        }
    }

    /// Makes a call that concerns all VMs of the backup.
    fn call<T>(
        &self,
        step: VssStep,
        work: impl FnOnce(&mut HostState, &VssStrike) -> Result<T, VssError>,
    ) -> Result<T, VssError> {
        let session = self.session;
        let about = |state: &HostState| vms_of(state, session, step);
        call(&self.host, Some(session), step, about, work)
    }

    /// Makes a call that concerns one component.
    fn call_about<T>(
        &self,
        step: VssStep,
        component: &ComponentId,
        work: impl FnOnce(&mut HostState, &VssStrike) -> Result<T, VssError>,
    ) -> Result<T, VssError> {
        let vm = Uuid::parse_str(&component.name).ok();
        let vm = vm.filter(|_| component.writer == HYPERV_WRITER);
        let about = |_: &HostState| vm.into_iter().collect();
        call(&self.host, Some(self.session), step, about, work)
    }

    /// Does one of the steps of making snapshots. Each is saved before the next one begins, so that
    /// the program can die in between.
    fn step(
        &self,
        cancelled: Cancelled<'_>,
        work: impl FnOnce(&mut HostState, Uuid) -> Result<(), VssError>,
    ) -> Result<(), VssError> {
        let (step, session) = (VssStep::Snapshot, self.session);
        let stop = cancelled();
        let done = self.host.act(|state| {
            let done = if stop {
                Err(stopped(step))
            } else {
                work(state, session)
            };
            if done.is_err() {
                state.snapshot_failed(session)?;
            }
            Ok(done)
        });
        done.unwrap_or_else(|error| Err(of_host(step, &error)))
    }

    fn make_snapshots(&self, cancelled: Cancelled<'_>) -> Result<(), VssError> {
        self.step(cancelled, HostState::prepare_for_snapshot)?;
        self.step(cancelled, HostState::snap_volumes_of_set)?;
        self.step(cancelled, HostState::recover_guests)?;
        self.step(cancelled, HostState::post_snapshot)
    }
}

/// Lists the VMs that a backup is of.
fn vms_of(state: &HostState, session: Uuid, step: VssStep) -> Vec<Uuid> {
    let found = state.session(session, step);
    found.map(Session::vms).unwrap_or_default()
}

fn stopped(step: VssStep) -> VssError {
    failure(VssErrorKind::Cancelled, step, ABORTED, "it was cancelled")
}

/// Looks whether snapshots can be made now, and lets faults strike the call as a whole.
fn begin_snapshot(state: &mut HostState, session: Uuid) -> Result<VssStrike, VssError> {
    let step = VssStep::Snapshot;
    let about = vms_of(state, session, step);
    let strike = state.strike_vss(Some(session), step, call_name(step), &about)?;
    let found = state.session(session, step)?;
    let early = !found.with_writers && !found.volumes.is_empty();
    if !(found.phase == Phase::Prepared || early && found.phase == Phase::Gathered) {
        return Err(bad_state(step));
    }
    state.note_writer(session, WriterState::FailedAtPrepareSnapshot, &strike)?;
    Ok(strike)
}

fn check_wanted(step: VssStep, cancelled: Cancelled<'_>) -> Result<(), VssError> {
    if cancelled() {
        return Err(stopped(step));
    }
    Ok(())
}

impl VssBackup for SimBackup {
    fn writers(&mut self, cancelled: Cancelled<'_>) -> Result<Vec<Writer>, VssError> {
        check_wanted(VssStep::Writers, cancelled)?;
        let session = self.session;
        self.call(VssStep::Writers, |state, _| state.gather_writers(session))
    }

    fn add_component(&mut self, component: &ComponentId) -> Result<(), VssError> {
        let session = self.session;
        self.call_about(VssStep::AddComponent, component, |state, _| {
            state.add_component(session, component)
        })
    }

    fn start_set(&mut self) -> Result<Uuid, VssError> {
        let session = self.session;
        self.call(VssStep::StartSet, |state, _| state.start_set(session))
    }

    fn add_volume(&mut self, name: &str, provider: Option<Uuid>) -> Result<Uuid, VssError> {
        let session = self.session;
        self.call(VssStep::AddVolume, |state, _| {
            state.add_set_volume(session, name, provider)
        })
    }

    fn prepare(&mut self, cancelled: Cancelled<'_>) -> Result<(), VssError> {
        check_wanted(VssStep::Prepare, cancelled)?;
        let session = self.session;
        self.call(VssStep::Prepare, |state, strike| {
            state.prepare_for_backup(session, strike)
        })
    }

    fn snapshot(&mut self, cancelled: Cancelled<'_>) -> Result<(), VssError> {
        let (step, session) = (VssStep::Snapshot, self.session);
        check_wanted(step, cancelled)?;
        let began = self.host.act(|state| Ok(begin_snapshot(state, session)));
        let strike = began.unwrap_or_else(|error| Err(of_host(step, &error)))?;
        self.make_snapshots(cancelled)?;
        if strike.dies_after {
            let died = self.host.act(|state| state.requester_dies(session));
            died.map_err(|error| of_host(step, &error))?;
        }
        strike.after.map_or(Ok(()), Err)
    }

    fn writer_statuses(&mut self, cancelled: Cancelled<'_>) -> Result<Vec<WriterStatus>, VssError> {
        check_wanted(VssStep::WriterStatuses, cancelled)?;
        let session = self.session;
        self.call(VssStep::WriterStatuses, |state, _| {
            state.writer_statuses(session)
        })
    }

    fn snapshots(&mut self) -> Result<Vec<Snapshot>, VssError> {
        let (step, session) = (VssStep::Snapshots, self.session);
        self.call(step, |state, _| {
            let found = state.session(session, step)?;
            found.check_phase(step, &[Phase::Snapped, Phase::Completed])?;
            let copies = state.shadow_copies_of(session);
            Ok(copies.map(super::shadow_copy::ShadowCopy::seen).collect())
        })
    }

    fn set_succeeded(&mut self, component: &ComponentId, succeeded: bool) -> Result<(), VssError> {
        let session = self.session;
        self.call_about(VssStep::SetSucceeded, component, |state, _| {
            state.set_succeeded(session, component, succeeded)
        })
    }

    fn document(&mut self) -> Result<String, VssError> {
        let session = self.session;
        self.call(VssStep::Document, |state, _| state.document(session))
    }

    fn complete(&mut self, cancelled: Cancelled<'_>) -> Result<(), VssError> {
        check_wanted(VssStep::Complete, cancelled)?;
        let session = self.session;
        self.call(VssStep::Complete, |state, strike| {
            state.complete_session(session, strike)
        })
    }

    fn delete_set(&mut self) -> Result<(), VssError> {
        let session = self.session;
        self.call(VssStep::DeleteSet, |state, _| state.delete_set(session))
    }

    fn abort(&mut self) {
        let session = self.session;
        // What cannot be done now is done when this goes, or by whoever uses the host next.
        let _ = self.host.act(|state| state.abort_session(session));
    }
}

impl Drop for SimBackup {
    fn drop(&mut self) {
        self.abort();
    }
}
