//! The host loses its power.

use uuid::Uuid;

use crate::host_state::HostState;
use crate::tracking::Tracking;
use crate::{PowerState, SimError, SimHost};

impl SimHost {
    /// Lets the host lose its power and come up again. VMs that ran are off, jobs are gone, merges
    /// begin anew. Change tracking knows what changed since the last checkpoint in coarser units;
    /// with `mrt_lost` it knows nothing, and all its ids are unknown.
    pub fn crash_host(&self, mrt_lost: bool) -> Result<(), SimError> {
        self.act(|state| state.crash(mrt_lost))
    }
}

impl HostState {
    pub(crate) fn crash(&mut self, mrt_lost: bool) -> Result<(), SimError> {
        let now = self.now;
        let facts = self.facts_mut();
        facts.booted = now;
        facts.mounted.clear();
        facts.orphaned_jobs.clear();
        facts.vss.restores.clear();
        let sessions = std::mem::take(&mut facts.vss.sessions);
        for session in sessions {
            self.delete_shadow_copies(session.id);
            self.forget_session(session.id)?;
        }
        let ids: Vec<Uuid> = self.vms.keys().copied().collect();
        for id in ids {
            self.crash_vm(id, mrt_lost)?;
        }
        Ok(())
    }

    fn crash_vm(&mut self, id: Uuid, mrt_lost: bool) -> Result<(), SimError> {
        let vm = self.vm_mut(id)?;
        let ran = vm.power.has_memory();
        vm.jobs.clear();
        vm.merges_enabled = true;
        if ran {
            vm.power = PowerState::Off;
        }
        let disks = vm.disks.clone();
        for disk in disks
            .iter()
            .filter(|disk| ran && disk.kind.is_snapshottable())
        {
            let fresh = self.new_guid();
            self.change_tracking(id, &disk.path, |tracking, _| {
                if mrt_lost {
                    *tracking = Tracking::new(fresh, tracking.size_bytes, tracking.content);
                } else {
                    tracking.crash();
                }
            })?;
        }
        self.write_configuration(id)?;
        self.clear_leftovers(id)
    }
}
