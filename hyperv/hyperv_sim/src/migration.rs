//! VMs and files that move, and VMs that go.

use uuid::Uuid;

use crate::drive::file_name;
use crate::host_state::HostState;
use crate::job_work::JobWork;
use crate::{Cluster, DiskFile, JobKind, SimError, SimErrorKind, SimHost, Vm, tracking};

impl SimHost {
    /// Moves a VM to another node: nothing of it is to be seen here any more. Its files lie on
    /// storage that both nodes have, so they stay.
    pub fn move_vm_away(&self, vm: Uuid) -> Result<(), SimError> {
        self.act(|state| {
            let gone = state.take_vm(vm)?;
            state.facts_mut().away.push(gone);
            Ok(())
        })
    }

    /// Brings a VM back that was moved away.
    pub fn bring_vm_back(&self, vm: Uuid) -> Result<(), SimError> {
        self.act(|state| {
            let away = &mut state.facts_mut().away;
            let place = away.iter().position(|gone| gone.id == vm);
            let Some(place) = place else {
                return Err(SimError::new(
                    SimErrorKind::NotFound,
                    format!("no virtual machine {vm} is away"),
                ));
            };
            let back = away.remove(place);
            state.vms.insert(vm, back);
            state.vm_mut(vm)?;
            state.clear_leftovers(vm)
        })
    }

    /// Removes a VM; its disks stay unless they are to go too.
    pub fn remove_vm(&self, vm: Uuid, with_disks: bool) -> Result<(), SimError> {
        self.act(|state| state.remove_vm(vm, with_disks))
    }

    /// Gives a VM another name.
    pub fn rename(&self, vm: Uuid, name: &str) -> Result<(), SimError> {
        self.act(|state| state.rename_vm(vm, name))
    }

    /// Moves all files of a VM to another folder of the host, as live storage migration does;
    /// returns when it is done. Tracking files stay behind, so what they knew is lost.
    pub fn migrate_storage(&self, vm: Uuid, folder: &str) -> Result<(), SimError> {
        let job = self.act(|state| state.migrate_storage(vm, folder))?;
        self.finish(job)
    }

    /// Makes the host a node of a cluster, or not any more.
    pub fn set_cluster(&self, cluster: Option<Cluster>) -> Result<(), SimError> {
        self.act(|state| {
            state.facts_mut().cluster = cluster;
            Ok(())
        })
    }
}

impl HostState {
    /// Takes a VM off the host. Its jobs end with it.
    pub(crate) fn take_vm(&mut self, vm: Uuid) -> Result<Vm, SimError> {
        let active = self.vm(vm)?.jobs.iter().filter(|job| !job.state.is_over());
        let active: Vec<Uuid> = active.map(|job| job.id).collect();
        for job in active {
            self.end_job(job, true)?;
        }
        self.vm_mut(vm)?;
        let mut gone = self
            .vms
            .remove(&vm)
            .ok_or_else(|| SimError::new(SimErrorKind::NotFound, format!("there is no {vm}")))?;
        let jobs = std::mem::take(&mut gone.jobs);
        self.keep_switches_of(&gone);
        self.facts_mut().orphaned_jobs.extend(jobs);
        Ok(gone)
    }

    pub(crate) fn remove_vm(&mut self, vm: Uuid, with_disks: bool) -> Result<(), SimError> {
        let gone = self.take_vm(vm)?;
        self.remove_configuration(&gone.config_root, &gone.config_file)?;
        for snapshot in &gone.snapshots {
            self.remove_configuration(gone.snapshot_root(), &snapshot.config_file)?;
        }
        if with_disks {
            for file in gone.files.keys() {
                let path = self.local_path(file)?;
                self.doomed_files.extend(tracking::tracking_files(&path));
                self.doomed_files.push(path);
            }
        }
        Ok(())
    }

    /// `ModifySystemSettings` with another `ElementName`: renames a VM, at once.
    pub(crate) fn rename_vm(&mut self, vm: Uuid, name: &str) -> Result<(), SimError> {
        name.clone_into(&mut self.vm_mut(vm)?.name);
        self.write_configuration(vm)
    }

    /// `MigrateVirtualSystemToHost` of storage alone: returns the job.
    pub(crate) fn migrate_storage(&mut self, vm: Uuid, folder: &str) -> Result<Uuid, SimError> {
        let owner = self.vm(vm)?;
        self.check_free(owner, true)?;
        self.local_path(folder)?;
        let folder = folder.trim_end_matches('\\').to_owned();
        self.start_job(vm, JobKind::MoveStorage, JobWork::MoveStorage { folder })
    }

    /// Does what storage migration is for.
    pub(crate) fn move_files(&mut self, vm: Uuid, folder: &str) -> Result<(), SimError> {
        let owner = self.vm(vm)?.clone();
        let moved = |file: &str| format!("{folder}\\Virtual Hard Disks\\{}", file_name(file));
        let target = self.local_path(&format!("{folder}\\Virtual Hard Disks"))?;
        let made = std::fs::create_dir_all(&target);
        made.map_err(|error| SimError::io(target.display(), error))?;
        for file in owner.files.keys() {
            let source = self.local_path(file)?;
            let target = self.local_path(&moved(file))?;
            // Linked first and removed once all is saved, so that it can be done again.
            if !target.exists() {
                let linked = std::fs::hard_link(&source, &target)
                    .or_else(|_| std::fs::copy(&source, &target).map(|_| ()));
                linked.map_err(|error| SimError::io(target.display(), error))?;
            }
            self.doomed_files.extend(tracking::tracking_files(&source));
            self.doomed_files.push(source);
        }
        let old_root = owner.config_root.clone();
        self.remove_configuration(&old_root, &owner.config_file)?;
        for snapshot in &owner.snapshots {
            self.remove_configuration(owner.snapshot_root(), &snapshot.config_file)?;
        }
        let new = self.vm_mut(vm)?;
        folder.clone_into(&mut new.config_root);
        new.data_roots = crate::DataRoots::default();
        let files: Vec<(String, DiskFile)> = std::mem::take(&mut new.files).into_iter().collect();
        for (path, node) in &files {
            new.files.insert(moved(path), node.clone());
        }
        for (path, _) in &files {
            new.rename_file(path, &moved(path));
        }
        self.write_all_files(vm)
    }
}
