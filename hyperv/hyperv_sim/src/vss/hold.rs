//! `PrepareForSnapshot`: what the writer of Hyper-V does to VMs so that their files hold still.

use std::time::Duration;

use uuid::Uuid;
use vss::{HYPERV_WRITER, VssError, VssStep, WriterState};

use super::failure::{FILE_EXISTS, NON_RETRYABLE, PARTIAL_FAILURE, RETRYABLE, of_host};
use super::method::Method;
use super::session::{Held, Phase, Selected};
use super::strike::VssStrike;
use crate::clock::FAR_FUTURE;
use crate::host_state::HostState;
use crate::job_work::JobWork;
use crate::{
    Consistency, JobKind, PowerState, SimError, SimErrorKind, SnapshotSettings, TraceKind,
};

const STEP: VssStep = VssStep::Snapshot;

/// Why a VM cannot be backed up.
pub(crate) struct VmFailure {
    /// An `HRESULT`.
    pub(crate) code: u32,
    /// What the writer says of it.
    pub(crate) message: String,
}

impl VmFailure {
    pub(crate) fn new(code: u32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// Makes the failure of what the host could not do: what stands in the way may go.
    fn of(error: &SimError) -> Self {
        let code = match error.kind() {
            SimErrorKind::Conflict | SimErrorKind::InvalidState => RETRYABLE,
            _ => NON_RETRYABLE,
        };
        Self::new(code, error.to_string())
    }
}

impl HostState {
    /// `PrepareForSnapshot`.
    pub(crate) fn prepare_for_snapshot(&mut self, id: Uuid) -> Result<(), VssError> {
        self.session_mut(id, STEP)?.phase = Phase::Snapping;
        if !self.session(id, STEP)?.with_writers {
            return Ok(());
        }
        self.trace(None, TraceKind::PrepareForSnapshot);
        for (vm, _) in self.vms_to_do(id)? {
            let strike = self.strike_vss(Some(id), STEP, "PrepareSnapshot", &[vm])?;
            let done = self.take_hold(id, vm);
            self.note_outcome(id, vm, WriterState::FailedAtPrepareSnapshot, done, &strike)?;
            strike.after.map_or(Ok(()), Err)?;
        }
        self.ask_guests(id)?;
        for (vm, method) in self.vms_to_do(id)? {
            let done = self.bring_to_rest(id, vm, method);
            let no_fault = VssStrike::default();
            self.note_outcome(
                id,
                vm,
                WriterState::FailedAtPrepareSnapshot,
                done,
                &no_fault,
            )?;
        }
        let writer = &mut self.session_mut(id, STEP)?.writer;
        writer.go_on(WriterState::WaitingForFreeze);
        Ok(())
    }

    /// Lists the VMs of a backup that have not failed, with how they are backed up.
    pub(crate) fn vms_to_do(&self, id: Uuid) -> Result<Vec<(Uuid, Method)>, VssError> {
        let session = self.session(id, STEP)?;
        if session.writer.has_failed() {
            return Ok(Vec::new());
        }
        let components = session.components.iter();
        let well = components.filter(|own| own.failure.is_none());
        Ok(well.filter_map(|own| own.vm).collect())
    }

    /// Notes how a step ended for a VM, together with what a fault made of it.
    pub(crate) fn note_outcome(
        &mut self,
        id: Uuid,
        vm: Uuid,
        at: WriterState,
        done: Result<(), VmFailure>,
        strike: &VssStrike,
    ) -> Result<(), VssError> {
        let struck = strike.component.filter(|(own, _)| *own == vm);
        let failed = match (struck, done) {
            (Some((_, code)), _) => Some(VmFailure::new(
                code,
                format!("the VM failed (0x{code:08X})"),
            )),
            (None, Err(failure)) => Some(failure),
            (None, Ok(())) => None,
        };
        if let Some(failed) = failed {
            self.vm_failed(id, vm, at, &failed)?;
        }
        if let Some(code) = strike.writer {
            let writer = &mut self.session_mut(id, STEP)?.writer;
            writer.fail(at, code, Some(format!("the writer failed (0x{code:08X})")));
        }
        Ok(())
    }

    /// Lets a VM fail, and with it the whole writer unless that may fail partially (contract 5.1).
    pub(crate) fn vm_failed(
        &mut self,
        id: Uuid,
        vm: Uuid,
        at: WriterState,
        failed: &VmFailure,
    ) -> Result<(), VssError> {
        let partially = self.facts.behavior.vss_fails_partially;
        let session = self.session_mut(id, STEP)?;
        let writer = &mut session.writer;
        let of_vm = |own: &&mut Selected| own.vm.is_some_and(|(own, _)| own == vm);
        if let Some(component) = session.components.iter_mut().find(of_vm) {
            component.failure = Some(failed.code);
            if partially && !writer.has_failed() {
                let name = component.name.clone();
                writer.failed_components.push((name, failed.code));
                writer.failure = PARTIAL_FAILURE;
                writer.message = Some(failed.message.clone());
            }
        }
        if !partially {
            // A code that is no writer's is final.
            let is_writers = (0x8004_23F0..=0x8004_23F4).contains(&failed.code);
            let code = if is_writers {
                failed.code
            } else {
                NON_RETRYABLE
            };
            writer.fail(at, code, Some(failed.message.clone()));
        }
        let released = self.release_vm(id, vm);
        released.map_err(|error| of_host(STEP, &error))
    }

    /// Keeps a VM from doing anything else.
    fn take_hold(&mut self, id: Uuid, vm: Uuid) -> Result<(), VmFailure> {
        let owner = self.vm(vm).map_err(|error| VmFailure::of(&error))?;
        self.check_free(owner, true)
            .map_err(|error| VmFailure::of(&error))?;
        let replicates = owner.replication.mode == 1 && owner.replication.state == 3;
        if replicates && self.facts.behavior.vss_refuses_replicating {
            let error = SimError::conflict(&owner.name);
            return Err(VmFailure::of(&error));
        }
        let job = self.start_job(vm, JobKind::Backup, JobWork::Nothing);
        let job = job.map_err(|error| VmFailure::of(&error))?;
        self.postpone_job(vm, job, FAR_FUTURE);
        self.hold(id, vm, |held| held.job = Some(job));
        Ok(())
    }

    /// Notes what the writer holds of a VM.
    fn hold(&mut self, id: Uuid, vm: Uuid, note: impl FnOnce(&mut Held)) {
        let sessions = self.facts_mut().vss.sessions.iter_mut();
        let components = sessions
            .filter(|own| own.id == id)
            .flat_map(|own| &mut own.components);
        let mut found = components.filter(|own| own.vm.is_some_and(|(own, _)| own == vm));
        if let Some(component) = found.next() {
            note(&mut component.held);
        }
    }

    /// Asks all guests at once for a snapshot of their own.
    fn ask_guests(&mut self, id: Uuid) -> Result<(), VssError> {
        let online = |(vm, method): (Uuid, Method)| (method == Method::Online).then_some(vm);
        let asked: Vec<Uuid> = self.vms_to_do(id)?.into_iter().filter_map(online).collect();
        if asked.is_empty() {
            return Ok(());
        }
        for vm in &asked {
            self.trace(Some(*vm), TraceKind::GuestAsked);
        }
        let patience = Duration::from_millis(self.facts.behavior.guest_snapshot_ms);
        let passed = self.pass(patience);
        passed.map_err(|error| of_host(STEP, &error))?;
        for vm in asked {
            let strike = self.strike_vss(Some(id), STEP, "GuestSnapshot", &[vm])?;
            let at = WriterState::FailedAtPrepareSnapshot;
            self.note_outcome(id, vm, at, Ok(()), &strike)?;
            let session = self.session(id, STEP)?;
            let mut components = session.components.iter();
            let well = components
                .any(|own| own.failure.is_none() && own.vm.is_some_and(|(own, _)| own == vm));
            if well && !session.writer.has_failed() {
                self.trace(Some(vm), TraceKind::GuestSnapshot);
            }
            strike.after.map_or(Ok(()), Err)?;
        }
        Ok(())
    }

    /// Makes the checkpoint of a VM, or saves or pauses it.
    fn bring_to_rest(&mut self, id: Uuid, vm: Uuid, method: Method) -> Result<(), VmFailure> {
        let done = match method {
            Method::AsItIs => Ok(()),
            Method::Online if !self.facts.profile.vss_makes_checkpoints() => Ok(()),
            Method::Online => {
                self.check_auto_recovery_files(vm)?;
                self.make_writers_checkpoint(id, vm, Consistency::Application)
            }
            Method::Checkpoint => self.make_writers_checkpoint(id, vm, Consistency::Crash),
            Method::Save => self.save_for_backup(id, vm),
            Method::Pause => self.pause_for_backup(id, vm),
        };
        done.map_err(|error| VmFailure::of(&error))
    }

    /// Fails where a file is in the way that an earlier backup left (contract 7, KB3175561).
    fn check_auto_recovery_files(&self, vm: Uuid) -> Result<(), VmFailure> {
        if !self.facts.profile.vss_makes_auto_recovery_files() {
            return Ok(());
        }
        let owner = self.vm(vm).map_err(|error| VmFailure::of(&error))?;
        for disk in owner
            .disks
            .iter()
            .filter(|disk| disk.kind.is_snapshottable())
        {
            let file = super::auto_recovery::auto_recovery_name(owner, &disk.path);
            let local = self.local_path(&file);
            if local.is_ok_and(|local| local.exists()) {
                return Err(VmFailure::new(
                    FILE_EXISTS,
                    format!(
                        "'{}' could not initiate a checkpoint operation: The file exists. \
                         (0x80070050) {file}",
                        owner.name
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Makes the writer's checkpoint: of the recovery kind, and nothing of it is tracked (contract
    /// 5.1: the writer does not feed change tracking).
    fn make_writers_checkpoint(
        &mut self,
        id: Uuid,
        vm: Uuid,
        consistency: Consistency,
    ) -> Result<(), SimError> {
        let checkpoint = self.new_guid();
        let settings = SnapshotSettings::recovery(consistency);
        let made = self.make_untracked_snapshot(vm, checkpoint, &settings);
        if made.is_err() {
            self.clear_leftovers(vm)?;
        }
        made?;
        let frozen = self.vm(vm)?.snapshot(checkpoint);
        let frozen = frozen.iter().flat_map(|made| &made.disks);
        let frozen = frozen.map(|disk| disk.path.clone()).collect();
        self.hold(id, vm, |held| {
            held.checkpoint = Some(checkpoint);
            held.frozen = frozen;
        });
        self.trace(Some(vm), TraceKind::CheckpointCreated);
        self.pass(Duration::from_millis(self.facts.behavior.job_ms))
    }

    fn save_for_backup(&mut self, id: Uuid, vm: Uuid) -> Result<(), SimError> {
        let found = self.vm(vm)?.power;
        self.hold(id, vm, |held| held.power = Some(found));
        self.excuse_role(vm, true)?;
        self.pass(self.time_for_memory(vm)?)?;
        self.set_power_now(vm, PowerState::Saved)
    }

    fn pause_for_backup(&mut self, id: Uuid, vm: Uuid) -> Result<(), SimError> {
        let found = self.vm(vm)?.power;
        self.hold(id, vm, |held| held.power = Some(found));
        self.excuse_role(vm, true)?;
        self.set_power_now(vm, PowerState::Paused)
    }

    /// Lists the components of the writer of Hyper-V that are VMs, by their numbers.
    pub(crate) fn held_vms(&self, id: Uuid) -> Vec<Uuid> {
        let sessions = self.facts.vss.sessions.iter();
        let components = sessions
            .filter(|own| own.id == id)
            .flat_map(|own| &own.components);
        let own = components.filter(|own| own.writer == HYPERV_WRITER);
        own.filter_map(|own| own.vm).map(|(vm, _)| vm).collect()
    }
}
