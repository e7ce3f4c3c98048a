//! Removing and renaming checkpoints.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::host_state::HostState;
use crate::job_work::JobWork;
use crate::{JobKind, SimError, SimErrorKind, Vm};

impl HostState {
    /// `DestroySnapshot`, or with `tree` `DestroySnapshotTree`: returns the job. Files are merged
    /// later.
    pub(crate) fn destroy_snapshot(
        &mut self,
        snapshot: Uuid,
        tree: bool,
    ) -> Result<Uuid, SimError> {
        let owner = self.vm_of_snapshot(snapshot)?;
        self.check_free(owner, false)?;
        let (vm, id) = (owner.id, snapshot);
        self.start_job(
            vm,
            JobKind::DeleteSnapshot,
            JobWork::DestroySnapshot { id, tree },
        )
    }

    /// Does what `DestroySnapshot` is for.
    pub(crate) fn drop_snapshot(&mut self, vm: Uuid, id: Uuid, tree: bool) -> Result<(), SimError> {
        let owner = self.vm(vm)?;
        let Some(snapshot) = owner.snapshot(id) else {
            return Err(SimError::new(
                SimErrorKind::NotFound,
                format!("there is no checkpoint {id}"),
            ));
        };
        let parent = snapshot.parent;
        let gone = if tree {
            owner.descendants(id)
        } else {
            BTreeSet::from([id])
        };
        let root = owner.snapshot_root().to_owned();
        let is_gone = |id: &Uuid| gone.contains(id);
        let snapshots = owner.snapshots.iter();
        let files = snapshots.filter(|snapshot| is_gone(&snapshot.id));
        let files: Vec<String> = files.map(|snapshot| snapshot.config_file.clone()).collect();
        for file in &files {
            self.remove_configuration(&root, file)?;
        }
        let owner = self.vm_mut(vm)?;
        owner.snapshots.retain(|snapshot| !is_gone(&snapshot.id));
        let orphans = owner.snapshots.iter_mut().map(|one| &mut one.parent);
        for link in orphans.chain([&mut owner.current_parent]) {
            if link.as_ref().is_some_and(is_gone) {
                *link = parent;
            }
        }
        owner.last_applied = owner.last_applied.filter(|id| !is_gone(id));
        self.write_configuration(vm)?;
        self.clear_leftovers(vm)
    }

    /// `ModifySystemSettings` with another `ElementName`: renames a checkpoint, at once.
    pub(crate) fn rename_snapshot(&mut self, snapshot: Uuid, name: &str) -> Result<(), SimError> {
        let vm = self.vm_of_snapshot(snapshot)?.id;
        let snapshots = &mut self.vm_mut(vm)?.snapshots;
        if let Some(renamed) = snapshots.iter_mut().find(|one| one.id == snapshot) {
            name.clone_into(&mut renamed.name);
        }
        self.write_configuration(vm)
    }
}

impl Vm {
    /// Lists a checkpoint and all that derive from it.
    fn descendants(&self, id: Uuid) -> BTreeSet<Uuid> {
        let mut tree = BTreeSet::from([id]);
        loop {
            let before = tree.len();
            for snapshot in &self.snapshots {
                if snapshot.parent.is_some_and(|parent| tree.contains(&parent)) {
                    tree.insert(snapshot.id);
                }
            }
            if tree.len() == before {
                return tree;
            }
        }
    }
}
