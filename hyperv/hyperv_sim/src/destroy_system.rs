//! `DestroySystem`: a VM, or one that is planned, goes; its disks stay (contract 4.1).

use uuid::Uuid;

use crate::host_state::HostState;
use crate::job_work::JobWork;
use crate::{JobKind, PowerState, SimError, SimErrorKind};

impl HostState {
    /// `DestroySystem` of a VM that is off or saved: returns the job.
    pub(crate) fn destroy_system(&mut self, vm: Uuid) -> Result<Uuid, SimError> {
        let owner = self.vm(vm)?;
        self.check_free(owner, false)?;
        if !matches!(owner.power, PowerState::Off | PowerState::Saved) {
            return Err(SimError::new(
                SimErrorKind::InvalidState,
                format!(
                    "'{}' must be off or saved, and is {:?}",
                    owner.name, owner.power
                ),
            ));
        }
        self.start_job(vm, JobKind::DestroyVm, JobWork::DestroySystem)
    }

    /// Does what `DestroySystem` is for; `false`: not yet, since somebody reads a file that is to
    /// be merged. That the files of checkpoints are merged into what the VM had last, and those of
    /// other branches go, is what people see; it is not documented. Contract: 4.1 [M]
    pub(crate) fn unmake_system(&mut self, vm: Uuid) -> Result<bool, SimError> {
        let owner = self.vm(vm)?;
        let (root, snapshots) = (owner.snapshot_root().to_owned(), owner.snapshots.clone());
        for snapshot in &snapshots {
            self.remove_configuration(&root, &snapshot.config_file)?;
        }
        let owner = self.vm_mut(vm)?;
        owner.snapshots.clear();
        owner.reference_points.clear();
        owner.current_parent = None;
        owner.last_applied = None;
        if !self.merge_files(vm)? {
            return Ok(false);
        }
        self.remove_vm(vm, false)?;
        Ok(true)
    }

    /// `DestroySystem` of a planned VM: returns the job. Nothing of it was on disk.
    pub(crate) fn destroy_planned(&mut self, vm: Uuid) -> Result<Uuid, SimError> {
        self.planned(vm)?;
        self.start_job(vm, JobKind::DestroyVm, JobWork::DestroyPlanned)
    }

    /// Does what `DestroySystem` of a planned VM is for.
    pub(crate) fn unmake_planned(&mut self, vm: Uuid) -> Result<(), SimError> {
        self.planned(vm)?;
        self.facts_mut().planned.remove(&vm);
        Ok(())
    }
}
