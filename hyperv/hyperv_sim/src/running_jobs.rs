//! Starting jobs, and bringing them to their ends.

use uuid::Uuid;

use crate::clock::later;
use crate::host_state::HostState;
use crate::job_work::JobWork;
use crate::{Job, JobElement, JobFault, JobKind, JobState, SimError, SimErrorKind, Vm};

impl Job {
    /// Returns whether the job never ends by itself.
    pub(crate) fn hangs(&self) -> bool {
        matches!(self.fault, Some(JobFault::Hang))
    }
}

impl HostState {
    /// Fails with the conflict that Hyper-V reports, unless the VM is free for an operation.
    /// A merge stands in the way of what makes new files (contract 7: wait for event 19080).
    pub(crate) fn check_free(&self, vm: &Vm, also_of_merges: bool) -> Result<(), SimError> {
        let merging = also_of_merges && vm.pending_merge().is_some();
        let replicates = vm.replication_is_in_the_way(self.now);
        if vm.active_job().is_some() || merging || replicates {
            return Err(SimError::conflict(&vm.name));
        }
        if vm.power.is_transitional() {
            return Err(SimError::new(
                SimErrorKind::InvalidState,
                format!("'{}' is between two states", vm.name),
            ));
        }
        Ok(())
    }

    /// Starts a job that takes as long as the host's behavior says.
    pub(crate) fn start_job(
        &mut self,
        vm: Uuid,
        kind: JobKind,
        work: JobWork,
    ) -> Result<Uuid, SimError> {
        let behavior = &self.facts.behavior;
        let (delay, length) = match kind {
            JobKind::MergingDisks => (behavior.merge_delay_ms, behavior.merge_ms),
            _ => (0, behavior.job_ms),
        };
        let starts = later(self.now, i64::try_from(delay).unwrap_or(i64::MAX));
        let id = self.new_guid();
        let fault = match kind {
            JobKind::MergingDisks => self.vm(vm)?.merge_fault.clone(),
            _ => None,
        };
        let job = Job {
            id,
            kind,
            vm,
            starts,
            ends: later(starts, i64::try_from(length.max(2)).unwrap_or(i64::MAX)),
            state: if delay > 0 {
                JobState::New
            } else {
                JobState::Starting
            },
            finished: None,
            error_code: 0,
            error_description: String::new(),
            error_details: Vec::new(),
            elements: self.affected_by(vm, &work),
            fault,
            work,
        };
        if self.vms.contains_key(&vm) {
            self.vm_mut(vm)?.jobs.push(job);
        } else {
            self.next_due = None;
            self.facts_mut().orphaned_jobs.push(job);
        }
        Ok(id)
    }

    /// Returns what a job works on from its beginning.
    fn affected_by(&self, vm: Uuid, work: &JobWork) -> Vec<JobElement> {
        match work {
            JobWork::Import { .. } | JobWork::AddSwitch(_) | JobWork::RemoveSwitch(_) => Vec::new(),
            JobWork::SetHostPort { switch, .. } => vec![JobElement::Switch(*switch)],
            _ if self.facts.planned.contains_key(&vm) => vec![JobElement::PlannedVm(vm)],
            _ => vec![JobElement::Vm(vm)],
        }
    }

    /// Returns whether a job is one of those that belong to a VM which is there.
    fn is_job_of(&self, vm: Uuid, id: Uuid) -> bool {
        let vm = self.vms.get(&vm);
        vm.is_some_and(|vm| vm.jobs.iter().any(|job| job.id == id))
    }

    /// Returns a job to be changed. One that made its VM, or removed it, is not among the VM's.
    fn job_mut(&mut self, vm: Uuid, id: Uuid) -> Result<&mut Job, SimError> {
        let found = if self.is_job_of(vm, id) {
            let jobs = &mut self.vm_mut(vm)?.jobs;
            jobs.iter_mut().find(|job| job.id == id)
        } else {
            self.next_due = None;
            let jobs = &mut self.facts_mut().orphaned_jobs;
            jobs.iter_mut().find(|job| job.id == id)
        };
        found.ok_or_else(|| SimError::new(SimErrorKind::NotFound, format!("there is no job {id}")))
    }

    /// Lets a job end at another time.
    pub(crate) fn postpone_job(&mut self, vm: Uuid, job: Uuid, ends: jiff::Timestamp) {
        if let Ok(job) = self.job_mut(vm, job) {
            job.ends = ends;
        }
    }

    pub(crate) fn set_job_state(
        &mut self,
        vm: Uuid,
        id: Uuid,
        state: JobState,
    ) -> Result<(), SimError> {
        self.job_mut(vm, id)?.state = state;
        Ok(())
    }

    pub(crate) fn remove_job(&mut self, vm: Uuid, id: Uuid) -> Result<(), SimError> {
        if self.is_job_of(vm, id) {
            self.vm_mut(vm)?.jobs.retain(|job| job.id != id);
        } else {
            self.next_due = None;
            self.facts_mut().orphaned_jobs.retain(|job| job.id != id);
        }
        Ok(())
    }

    /// Does what the job is for, and ends it; a failure is the job's, not the caller's.
    pub(crate) fn complete_job(&mut self, vm: Uuid, id: Uuid) -> Result<(), SimError> {
        let job = self.job(id)?.clone();
        let (fails, has_effect) = match &job.fault {
            Some(JobFault::Fail { after_effect, .. }) => (job.fault.clone(), *after_effect),
            _ => (None, true),
        };
        let can_be_done = !job.work.needs_vm() || self.vms.contains_key(&vm);
        let done = if has_effect && can_be_done {
            self.do_work(vm, &job.work)
        } else {
            Ok(Done::Nothing)
        };
        if done.is_err() && self.vms.contains_key(&vm) {
            // What was half done may have left files that nobody needs.
            self.clear_leftovers(vm)?;
        }
        let now = self.now;
        let job = self.job_mut(vm, id)?;
        match done {
            Ok(Done::Later) => {
                job.ends = later(now, RETRY_MS);
                return Ok(());
            }
            Ok(Done::Made(element)) => job.elements.push(element),
            Ok(Done::Nothing) => {}
            Err(error) => {
                job.error_code = error.code();
                job.error_description = error.to_string();
                job.error_details = error.details().to_vec();
            }
        }
        if let Some(JobFault::Fail {
            code, description, ..
        }) = fails
        {
            job.error_code = code;
            job.error_description = description;
            job.error_details = Vec::new();
        }
        let failed = job.error_code != 0;
        job.state = if failed {
            JobState::Exception
        } else {
            JobState::Completed
        };
        job.finished = Some(now);
        let merged = job.kind == JobKind::MergingDisks && !failed;
        if merged {
            self.trace(Some(vm), crate::TraceKind::Merged);
        }
        Ok(())
    }

    /// Plans what goes wrong with a job that has not ended.
    pub(crate) fn spoil_job(&mut self, job: Uuid, fault: JobFault) -> Result<(), SimError> {
        let vm = self.job(job)?.vm;
        self.job_mut(vm, job)?.fault = Some(fault);
        Ok(())
    }

    /// `RequestStateChange` of a job to 4 (terminate) or, with `kill`, 5: it ends without effect.
    pub(crate) fn end_job(&mut self, job: Uuid, kill: bool) -> Result<(), SimError> {
        let found = self.job(job)?;
        if found.state.is_over() {
            return Err(SimError::new(
                SimErrorKind::InvalidState,
                "the job is over already",
            ));
        }
        let (vm, now) = (found.vm, self.now);
        let job = self.job_mut(vm, job)?;
        job.state = if kill {
            JobState::Killed
        } else {
            JobState::Terminated
        };
        job.finished = Some(now);
        Ok(())
    }

    /// Ends a job now, as if its time had come: for methods that answer 0 instead of 4096.
    pub(crate) fn finish_job_now(&mut self, job: Uuid) -> Result<(), SimError> {
        let found = self.job(job)?;
        if found.state.is_over() {
            return Ok(());
        }
        let vm = found.vm;
        self.complete_job(vm, job)?;
        let job = self.job(job)?;
        if job.error_code == 0 {
            return Ok(());
        }
        let message = job.error_description.clone();
        Err(SimError::new(SimErrorKind::Failed, message).with_code(job.error_code))
    }

    fn do_work(&mut self, vm: Uuid, work: &JobWork) -> Result<Done, SimError> {
        match work {
            JobWork::Nothing => Ok(Done::Nothing),
            JobWork::CreateSnapshot { id, settings } => {
                self.make_snapshot(vm, *id, settings)?;
                Ok(Done::Made(JobElement::Snapshot(*id)))
            }
            JobWork::DestroySnapshot { id, tree } => {
                self.drop_snapshot(vm, *id, *tree)?;
                Ok(Done::Nothing)
            }
            JobWork::ApplySnapshot { id } => {
                self.go_back_to(vm, *id)?;
                Ok(Done::Nothing)
            }
            JobWork::Convert {
                snapshot,
                reference_point,
            } => {
                self.make_reference_point_of(vm, *snapshot, *reference_point)?;
                Ok(Done::Made(JobElement::ReferencePoint(*reference_point)))
            }
            JobWork::CreateReferencePoint { id, consistency } => {
                self.make_reference_point(vm, *id, *consistency)?;
                Ok(Done::Made(JobElement::ReferencePoint(*id)))
            }
            JobWork::DestroyReferencePoint { id } => {
                self.drop_reference_point(vm, *id)?;
                Ok(Done::Nothing)
            }
            JobWork::Merge => {
                let all = self.merge_files(vm)?;
                Ok(if all { Done::Nothing } else { Done::Later })
            }
            JobWork::Export {
                snapshot,
                folder,
                with_disks,
            } => {
                self.write_export(vm, *snapshot, folder, *with_disks)?;
                Ok(Done::Nothing)
            }
            JobWork::MoveStorage { folder } => {
                self.move_files(vm, folder)?;
                Ok(Done::Nothing)
            }
            other => self.do_work_of_systems(vm, other),
        }
    }

    /// Does what makes, changes and removes whole VMs, planned ones and switches.
    fn do_work_of_systems(&mut self, vm: Uuid, work: &JobWork) -> Result<Done, SimError> {
        match work {
            JobWork::Import {
                id,
                definition,
                checkpoint_folder,
                new_identity,
            } => {
                let folder = checkpoint_folder.as_deref();
                self.make_planned(*id, definition, folder, *new_identity)?;
                return Ok(Done::Made(JobElement::PlannedVm(*id)));
            }
            JobWork::ImportCheckpoints { folder } => self.add_checkpoints(vm, folder)?,
            JobWork::DropPlannedSnapshot(id) => self.drop_planned_snapshot(vm, *id)?,
            JobWork::Validate => self.check_planned(vm)?,
            JobWork::Realize => {
                self.make_real(vm)?;
                return Ok(Done::Made(JobElement::Vm(vm)));
            }
            JobWork::DestroySystem => {
                let is_gone = self.unmake_system(vm)?;
                return Ok(if is_gone { Done::Nothing } else { Done::Later });
            }
            JobWork::DestroyPlanned => self.unmake_planned(vm)?,
            JobWork::Define {
                generation,
                version,
                settings,
                devices,
            } => self.make_system(vm, *generation, version.as_ref(), settings, devices)?,
            JobWork::ModifySystem(change) => self.change_system(vm, change)?,
            JobWork::ChangeDevices(changes) => self.change_devices(vm, changes)?,
            JobWork::AddSwitch(switch) => {
                let id = self.add_switch(switch.clone())?;
                return Ok(Done::Made(JobElement::Switch(id)));
            }
            JobWork::RemoveSwitch(id) => self.remove_switch(*id)?,
            JobWork::SetHostPort { switch, vlan } => self.set_host_port(*switch, *vlan)?,
            _ => {}
        }
        Ok(Done::Nothing)
    }
}

/// How long a merge waits for a file that somebody reads, in milliseconds.
const RETRY_MS: i64 = 1000;

/// What came of a job's work.
enum Done {
    Nothing,
    Made(JobElement),
    /// It cannot be done yet.
    Later,
}
