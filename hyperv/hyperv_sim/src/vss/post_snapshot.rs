//! `PostSnapshot`: the writer gives VMs back as it found them.

use uuid::Uuid;
use vss::{VssError, VssStep, WriterState};

use super::failure::of_host;
use super::session::{Held, Phase};
use crate::host_state::HostState;
use crate::{PowerState, SimError, TraceKind};

const STEP: VssStep = VssStep::Snapshot;

impl HostState {
    /// `PostSnapshot`.
    pub(crate) fn post_snapshot(&mut self, id: Uuid) -> Result<(), VssError> {
        if self.session(id, STEP)?.with_writers {
            let vms = self.session(id, STEP)?.vms();
            let strike = self.strike_vss(Some(id), STEP, "PostSnapshot", &vms)?;
            self.trace(None, TraceKind::PostSnapshot);
            self.note_writer(id, WriterState::FailedAtPostSnapshot, &strike)?;
            let released = self.release_vms(id);
            released.map_err(|error| of_host(STEP, &error))?;
            let writer = &mut self.session_mut(id, STEP)?.writer;
            writer.go_on(WriterState::WaitingForBackupComplete);
            strike.after.map_or(Ok(()), Err)?;
        }
        self.session_mut(id, STEP)?.phase = Phase::Snapped;
        Ok(())
    }

    /// Gives all VMs of a backup back as they were found.
    pub(crate) fn release_vms(&mut self, id: Uuid) -> Result<(), SimError> {
        let vms = self.held_vms(id);
        vms.into_iter().try_for_each(|vm| self.release_vm(id, vm))
    }

    /// Gives a VM back as it was found: its checkpoint is removed, its power state restored.
    pub(crate) fn release_vm(&mut self, id: Uuid, vm: Uuid) -> Result<(), SimError> {
        let sessions = self.facts_mut().vss.sessions.iter_mut();
        let components = sessions
            .filter(|own| own.id == id)
            .flat_map(|own| &mut own.components);
        let mut own = components.filter(|own| own.vm.is_some_and(|(own, _)| own == vm));
        let Some(component) = own.next() else {
            return Ok(());
        };
        // Which files were frozen is still asked for when the requester dies.
        let frozen = component.held.frozen.clone();
        let held = std::mem::replace(
            &mut component.held,
            Held {
                frozen,
                ..Held::default()
            },
        );
        if !self.vms.contains_key(&vm) {
            return Ok(());
        }
        if let Some(job) = held.job {
            self.complete_job(vm, job)?;
        }
        let is_there = |checkpoint: &Uuid| {
            let owner = self.vms.get(&vm);
            owner.is_some_and(|owner| owner.snapshot(*checkpoint).is_some())
        };
        if let Some(checkpoint) = held.checkpoint.filter(is_there) {
            self.drop_snapshot(vm, checkpoint, false)?;
            self.trace(Some(vm), TraceKind::CheckpointRemoved);
        }
        match held.power {
            Some(found) => {
                let given_back = self.give_power_back(vm, found);
                self.excuse_role(vm, false)?;
                given_back
            }
            None => Ok(()),
        }
    }

    /// Brings a VM back to the state that it was found in, unless somebody else did something to it.
    fn give_power_back(&mut self, vm: Uuid, found: PowerState) -> Result<(), SimError> {
        let power = self.vm(vm)?.power;
        if power == PowerState::Saved {
            let takes = self.time_for_memory(vm)?;
            self.pass(takes)?;
        }
        if matches!(power, PowerState::Saved | PowerState::Paused) {
            self.set_power_now(vm, found)?;
        }
        Ok(())
    }
}
