//! Merging files that no checkpoint needs apart any more.
//!
//! ```text
//!   base ◄── A ◄── B ◄── leaf      A's checkpoint is removed: B is merged into A, and what
//!         frozen  frozen           referred to B refers to A
//! ```
//!
//! The child is written into its parent and goes once that is saved, so that a program that dies
//! in between does it again. What derives from the child is written anew as a child of the parent.

use uuid::Uuid;

use crate::disk_tree::Leftover;
use crate::host_state::HostState;
use crate::image::{is_read_elsewhere, merge_into_parent, set_parent};
use crate::job_work::JobWork;
use crate::tracking::tracking_files;
use crate::{JobKind, SimError, SimHost};

impl SimHost {
    /// Plans what goes wrong with the merges of a VM from now on; `None`: nothing.
    pub fn spoil_merges(&self, vm: Uuid, fault: Option<crate::JobFault>) -> Result<(), SimError> {
        self.act(|state| {
            state.vm_mut(vm)?.merge_fault.clone_from(&fault);
            let pending = state.vm(vm)?.pending_merge().map(|job| job.id);
            match (pending, fault) {
                (Some(job), Some(fault)) => state.spoil_job(job, fault),
                (Some(job), None) => {
                    state.end_job(job, true)?;
                    state.clear_leftovers(vm)
                }
                (None, None) => state.clear_leftovers(vm),
                (None, Some(_)) => Ok(()),
            }
        })
    }
}

impl HostState {
    /// Removes files that nobody needs, and queues the merge of those that are to be merged.
    pub(crate) fn clear_leftovers(&mut self, vm: Uuid) -> Result<(), SimError> {
        let mut merges = 0;
        loop {
            let leftovers = self.vm(vm)?.leftovers();
            let discards = leftovers.iter().filter_map(|leftover| match leftover {
                Leftover::Discard { file } => Some(file),
                Leftover::Merge { .. } => None,
            });
            let discards: Vec<&String> = discards.collect();
            if discards.is_empty() {
                merges += leftovers.len();
                break;
            }
            for file in discards {
                self.forget_file(vm, file)?;
            }
        }
        let owner = self.vm(vm)?;
        if merges > 0 && owner.merges_enabled && owner.pending_merge().is_none() {
            self.start_job(vm, JobKind::MergingDisks, JobWork::Merge)?;
        }
        Ok(())
    }

    /// Takes a file off the VM's list; it goes once that is saved.
    fn forget_file(&mut self, vm: Uuid, file: &str) -> Result<(), SimError> {
        let path = self.local_path(file)?;
        self.vm_mut(vm)?.files.remove(file);
        self.doomed_files.extend(tracking_files(&path));
        self.doomed_files.push(path);
        Ok(())
    }

    /// Merges all that is to be merged; `false`: not all, since somebody reads a file of it.
    pub(crate) fn merge_files(&mut self, vm: Uuid) -> Result<bool, SimError> {
        loop {
            let leftovers = self.vm(vm)?.leftovers();
            let Some(leftover) = leftovers.into_iter().next() else {
                return Ok(true);
            };
            match leftover {
                Leftover::Discard { file } => self.forget_file(vm, &file)?,
                Leftover::Merge { child, parent } => {
                    if !self.merge_child(vm, &child, &parent)? {
                        return Ok(false);
                    }
                }
            }
        }
    }

    fn merge_child(&mut self, vm: Uuid, child: &str, parent: &str) -> Result<bool, SimError> {
        let grandchildren = self.vm(vm)?.children_of(child);
        let touched = grandchildren.iter().map(String::as_str);
        for file in touched.chain([child, parent]) {
            if is_read_elsewhere(&self.local_path(file)?)? {
                return Ok(false);
            }
        }
        let seed = self.new_number();
        let parent_path = self.local_path(parent)?;
        merge_into_parent(&self.local_path(child)?, &parent_path, seed)?;
        for grandchild in &grandchildren {
            set_parent(&self.local_path(grandchild)?, &parent_path, parent)?;
        }
        self.forget_file(vm, child)?;
        self.vm_mut(vm)?.rename_file(child, parent);
        if self.vm(vm)?.disks.iter().any(|disk| disk.path == parent) {
            self.note_new_leaf(vm, parent)?;
        }
        self.write_all_files(vm)?;
        Ok(true)
    }

    /// `ModifyDiskMergeSettings`: lets a VM's merges go on, or holds them back.
    pub(crate) fn enable_merges(&mut self, vm: Uuid, enabled: bool) -> Result<(), SimError> {
        self.vm_mut(vm)?.merges_enabled = enabled;
        if enabled {
            return self.clear_leftovers(vm);
        }
        let pending = self.vm(vm)?.pending_merge().map(|job| job.id);
        pending.map_or(Ok(()), |job| self.end_job(job, false))
    }
}
