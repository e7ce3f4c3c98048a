//! What a test or the command line asks of the host: operations that return when they are done.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::host_state::HostState;
use crate::{
    Behavior, Changes, Component, ComponentKind, Consistency, Job, JobElement, JobState, Profile,
    Replication, SimError, SimErrorKind, SimHost, SnapshotSettings, Vm,
};

/// How often [`SimHost::settle`] looks, and how far it moves the clock each time.
const SETTLE_STEPS: usize = 600;
const SETTLE_STEP: Duration = Duration::from_secs(1);

impl SimHost {
    /// Returns the host's time.
    pub fn now(&self) -> Result<Timestamp, SimError> {
        self.look(|state| Ok(state.now))
    }

    /// Moves the host's clock; what comes due meanwhile is done.
    pub fn advance(&self, duration: Duration) -> Result<(), SimError> {
        self.act(|state| state.pass(duration))
    }

    /// Moves the clock until no job and no merge is pending.
    ///
    /// Errors: `Conflict` where one does not end: it hangs, or somebody reads a file of it.
    pub fn settle(&self) -> Result<(), SimError> {
        for _ in 0..SETTLE_STEPS {
            if self.pending_jobs()?.is_empty() {
                return Ok(());
            }
            self.advance(SETTLE_STEP)?;
        }
        let pending = self.pending_jobs()?;
        let names: Vec<&str> = pending.iter().map(|job| job.kind.caption()).collect();
        Err(SimError::new(
            SimErrorKind::Conflict,
            format!("these do not end: {}", names.join(", ")),
        ))
    }

    fn pending_jobs(&self) -> Result<Vec<Job>, SimError> {
        self.look(|state| {
            let pending = state.jobs().filter(|job| !job.state.is_over());
            Ok(pending.cloned().collect())
        })
    }

    /// Returns which Windows Server it is.
    pub fn profile(&self) -> Result<Profile, SimError> {
        self.look(|state| Ok(state.facts.profile))
    }

    /// Returns the host's name.
    pub fn name(&self) -> Result<String, SimError> {
        self.look(|state| Ok(state.facts.name.clone()))
    }

    /// Lists the VMs, by GUID.
    pub fn vms(&self) -> Result<Vec<Vm>, SimError> {
        self.look(|state| Ok(state.vms.values().cloned().collect()))
    }

    /// Returns a VM.
    pub fn vm(&self, vm: Uuid) -> Result<Vm, SimError> {
        self.look(|state| state.vm(vm).cloned())
    }

    /// Finds a VM by its name, or its GUID.
    ///
    /// Errors: `NotFound`; `InvalidParameter` where several have the name.
    pub fn find_vm(&self, name: &str) -> Result<Uuid, SimError> {
        self.look(|state| {
            let by_id = Uuid::parse_str(name).ok();
            if let Some(id) = by_id.filter(|id| state.vms.contains_key(id)) {
                return Ok(id);
            }
            let mut found = state.vms.values().filter(|vm| vm.name == name);
            match (found.next(), found.next()) {
                (Some(vm), None) => Ok(vm.id),
                (None, _) => Err(SimError::new(
                    SimErrorKind::NotFound,
                    format!("there is no virtual machine '{name}'"),
                )),
                _ => Err(SimError::new(
                    SimErrorKind::InvalidParameter,
                    format!("several virtual machines are called '{name}': give the GUID"),
                )),
            }
        })
    }

    /// Makes a person's checkpoint, with memory where the VM runs; returns its GUID.
    pub fn checkpoint(&self, vm: Uuid, name: &str) -> Result<Uuid, SimError> {
        self.make_checkpoint(vm, &SnapshotSettings::standard(name))
    }

    /// Makes a checkpoint of any sort; returns its GUID.
    pub fn make_checkpoint(&self, vm: Uuid, settings: &SnapshotSettings) -> Result<Uuid, SimError> {
        let job = self.act(|state| state.create_snapshot(vm, settings))?;
        self.made_by(job)
    }

    /// Takes a VM back to a checkpoint.
    pub fn apply_checkpoint(&self, checkpoint: Uuid) -> Result<(), SimError> {
        let job = self.act(|state| state.apply_snapshot(checkpoint))?;
        self.finish(job)
    }

    /// Removes a checkpoint; its files are merged later.
    pub fn delete_checkpoint(&self, checkpoint: Uuid) -> Result<(), SimError> {
        let job = self.act(|state| state.destroy_snapshot(checkpoint, false))?;
        self.finish(job)
    }

    /// Makes a reference point of a recovery checkpoint; returns its GUID.
    pub fn convert_checkpoint(&self, checkpoint: Uuid) -> Result<Uuid, SimError> {
        let job = self.act(|state| state.convert_to_reference_point(checkpoint))?;
        self.made_by(job)
    }

    /// Removes a reference point.
    pub fn delete_reference_point(&self, point: Uuid) -> Result<(), SimError> {
        let job = self.act(|state| state.destroy_reference_point(point))?;
        self.finish(job)
    }

    /// Makes a recovery checkpoint as another product would, and leaves it; returns its GUID.
    pub fn plant_foreign_checkpoint(&self, vm: Uuid, name: &str) -> Result<Uuid, SimError> {
        let mut settings = SnapshotSettings::recovery(Consistency::Crash);
        settings.name = Some(name.to_owned());
        self.make_checkpoint(vm, &settings)
    }

    /// Makes a reference point as another product would, and leaves it; returns its GUID.
    pub fn plant_foreign_reference_point(&self, vm: Uuid) -> Result<Uuid, SimError> {
        let job = self.act(|state| state.create_reference_point(vm, Consistency::Crash))?;
        self.made_by(job)
    }

    /// Keeps a VM busy for a while, as another product's backup does.
    pub fn keep_busy(&self, vm: Uuid, duration: Duration) -> Result<(), SimError> {
        self.act(|state| state.keep_busy(vm, duration))
    }

    /// Asks what changed, as `GetVirtualDiskChanges` does.
    pub fn changes(
        &self,
        path: &str,
        limit_id: &str,
        offset: u64,
        len_bytes: u64,
    ) -> Result<Changes, SimError> {
        self.look(|state| state.changes(path, limit_id, offset, len_bytes))
    }

    /// Returns the tracking id of a file's state: `MostRecentId`. `None`: it is not tracked.
    pub fn most_recent_id(&self, path: &str) -> Result<Option<String>, SimError> {
        self.look(|state| state.most_recent_id(path))
    }

    /// Changes how the host behaves.
    pub fn change_behavior(&self, change: impl FnOnce(&mut Behavior)) -> Result<(), SimError> {
        self.act(|state| {
            change(&mut state.facts_mut().behavior);
            Ok(())
        })
    }

    /// Lets an integration component behave otherwise than the guest's kind would.
    pub fn set_component(
        &self,
        vm: Uuid,
        kind: ComponentKind,
        component: Component,
    ) -> Result<(), SimError> {
        self.act(|state| {
            state.vm_mut(vm)?.components.insert(kind, component);
            Ok(())
        })
    }

    /// Makes a VM part of a replication, or not any more.
    pub fn set_replication(&self, vm: Uuid, replication: Replication) -> Result<(), SimError> {
        self.act(|state| {
            state.vm_mut(vm)?.replication = replication;
            Ok(())
        })
    }

    /// Changes anything about a VM that needs no files: for cases that nothing else makes.
    pub fn change_vm(&self, vm: Uuid, change: impl FnOnce(&mut Vm)) -> Result<(), SimError> {
        self.act(|state| {
            change(state.vm_mut(vm)?);
            state.write_configuration(vm)
        })
    }

    /// Moves the clock until a job ends; its failure is an error.
    pub(crate) fn finish(&self, job: Uuid) -> Result<(), SimError> {
        self.ended(job).map(|_| ())
    }

    fn made_by(&self, job: Uuid) -> Result<Uuid, SimError> {
        match self.ended(job)?.result() {
            Some(JobElement::Snapshot(id) | JobElement::ReferencePoint(id)) => Ok(id),
            _ => Err(SimError::new(SimErrorKind::Failed, "the job made nothing")),
        }
    }

    fn ended(&self, job: Uuid) -> Result<Job, SimError> {
        for _ in 0..SETTLE_STEPS {
            let found = self.look(|state| state.job(job).cloned())?;
            if !found.state.is_over() {
                let rest = found.ends.as_millisecond() - self.now()?.as_millisecond();
                let rest = u64::try_from(rest).unwrap_or(0).max(1);
                self.advance(Duration::from_millis(rest))?;
            } else if matches!(
                found.state,
                JobState::Completed | JobState::CompletedWithWarnings
            ) {
                return Ok(found);
            } else {
                return Err(
                    SimError::new(SimErrorKind::Failed, found.error_description.clone())
                        .with_code(found.error_code),
                );
            }
        }
        Err(SimError::new(
            SimErrorKind::Conflict,
            "the job does not end",
        ))
    }
}

impl HostState {
    fn keep_busy(&mut self, vm: Uuid, duration: Duration) -> Result<(), SimError> {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let work = crate::job_work::JobWork::Nothing;
        let job = self.start_job(vm, crate::JobKind::Backup, work)?;
        self.postpone_job(vm, job, crate::clock::later(self.now, millis));
        Ok(())
    }
}
