//! VMs that are planned: imported or defined, and to be realised or destroyed (contract 4.1).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::host_state::HostState;
use crate::{SimError, SimErrorKind, SimHost, Vm};

/// A VM that is planned: `Msvm_PlannedComputerSystem`. It survives a restart of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedVm {
    /// What it is going to be. Nothing of it is on disk yet, and its files are not looked at before
    /// it is validated.
    pub vm: Vm,
    /// The definition file that it was made of, as the host names it.
    pub definition: String,
    /// The identity that the definition file names.
    pub definition_id: Uuid,
    /// It has another identity than the file, and so have its checkpoints.
    pub is_renamed: bool,
    /// The checkpoints' GUIDs: in their files, and here where they are others.
    pub checkpoint_ids: BTreeMap<Uuid, Uuid>,
    /// Checkpoints that its definition lists and that were not imported.
    pub missing: BTreeSet<Uuid>,
    /// The definition files of its checkpoints.
    pub checkpoint_definitions: BTreeMap<Uuid, String>,
}

impl SimHost {
    /// Lists the VMs that are planned, by GUID.
    pub fn planned_vms(&self) -> Result<Vec<PlannedVm>, SimError> {
        self.look(|state| Ok(state.facts.planned.values().cloned().collect()))
    }
}

impl HostState {
    /// Returns a planned VM.
    pub(crate) fn planned(&self, id: Uuid) -> Result<&PlannedVm, SimError> {
        let found = self.facts.planned.get(&id);
        found.ok_or_else(|| no_planned_vm(id))
    }

    /// Returns a planned VM, to be changed; it will be saved.
    pub(crate) fn planned_mut(&mut self, id: Uuid) -> Result<&mut PlannedVm, SimError> {
        let found = self.facts_mut().planned.get_mut(&id);
        found.ok_or_else(|| no_planned_vm(id))
    }

    /// Returns a VM, realised or planned.
    pub(crate) fn system(&self, id: Uuid) -> Option<&Vm> {
        let planned = || self.facts.planned.get(&id).map(|planned| &planned.vm);
        self.vms.get(&id).or_else(planned)
    }

    /// Returns a VM, realised or planned, to be changed; it will be saved.
    pub(crate) fn system_mut(&mut self, id: Uuid) -> Result<&mut Vm, SimError> {
        if self.facts.planned.contains_key(&id) {
            return self.planned_mut(id).map(|planned| &mut planned.vm);
        }
        self.vm_mut(id)
    }

    /// Returns the planned VM that has a checkpoint.
    pub(crate) fn planned_with_snapshot(&self, id: Uuid) -> Option<&PlannedVm> {
        let mut planned = self.facts.planned.values();
        planned.find(|planned| planned.vm.snapshot(id).is_some())
    }

    /// Takes a checkpoint out of a planned VM; its files are not touched.
    pub(crate) fn drop_planned_snapshot(&mut self, vm: Uuid, id: Uuid) -> Result<(), SimError> {
        let planned = self.planned_mut(vm)?;
        let parent = planned.vm.snapshot(id).and_then(|own| own.parent);
        planned.vm.snapshots.retain(|own| own.id != id);
        let links = planned.vm.snapshots.iter_mut().map(|own| &mut own.parent);
        for link in links.chain([&mut planned.vm.current_parent]) {
            if *link == Some(id) {
                *link = parent;
            }
        }
        planned.missing.remove(&id);
        planned.checkpoint_definitions.remove(&id);
        Ok(())
    }
}

fn no_planned_vm(id: Uuid) -> SimError {
    SimError::new(
        SimErrorKind::NotFound,
        format!("there is no planned virtual machine {id}"),
    )
}
