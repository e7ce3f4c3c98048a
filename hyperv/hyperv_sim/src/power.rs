//! Starting and stopping VMs.

use uuid::Uuid;

use crate::host_state::HostState;
use crate::{PowerState, SimError, SimErrorKind, SimHost};

impl SimHost {
    /// Starts a VM, or resumes it.
    pub fn start(&self, vm: Uuid) -> Result<(), SimError> {
        self.act(|state| state.change_power(vm, PowerState::Running))
    }

    /// Turns a VM off.
    pub fn stop(&self, vm: Uuid) -> Result<(), SimError> {
        self.act(|state| state.change_power(vm, PowerState::Off))
    }

    /// Saves a running VM.
    pub fn save(&self, vm: Uuid) -> Result<(), SimError> {
        self.act(|state| state.change_power(vm, PowerState::Saved))
    }

    /// Pauses a running VM.
    pub fn pause(&self, vm: Uuid) -> Result<(), SimError> {
        self.act(|state| state.change_power(vm, PowerState::Paused))
    }

    /// Resumes a paused VM.
    pub fn resume(&self, vm: Uuid) -> Result<(), SimError> {
        self.start(vm)
    }

    /// Puts a VM into any state, also one on the way between two, without asking whether it can
    /// go there.
    pub fn set_power(&self, vm: Uuid, power: PowerState) -> Result<(), SimError> {
        self.act(|state| {
            state.vm_mut(vm)?.power = power;
            state.write_configuration(vm)
        })
    }
}

impl HostState {
    /// `RequestStateChange`: takes a VM to `Running`, `Off`, `Saved` or `Paused`, at once.
    pub(crate) fn change_power(&mut self, vm: Uuid, power: PowerState) -> Result<(), SimError> {
        let owner = self.vm(vm)?;
        self.check_free(owner, false)?;
        let possible = match power {
            PowerState::Running => owner.power != PowerState::RunningCritical,
            PowerState::Off => true,
            PowerState::Saved => matches!(owner.power, PowerState::Running | PowerState::Paused),
            PowerState::Paused => owner.power == PowerState::Running,
            _ => false,
        };
        if !possible && owner.power != power {
            return Err(SimError::new(
                SimErrorKind::InvalidState,
                format!(
                    "'{}' cannot go from {:?} to {power:?}",
                    owner.name, owner.power
                ),
            ));
        }
        let owner = self.vm_mut(vm)?;
        // A VM that starts merges what was held back or failed (contract 2.4).
        let starts = power == PowerState::Running && owner.power == PowerState::Off;
        owner.power = power;
        if power == PowerState::Running {
            owner.health_state = 5;
        }
        self.write_configuration(vm)?;
        if starts {
            self.vm_mut(vm)?.merges_enabled = true;
            self.clear_leftovers(vm)?;
        }
        Ok(())
    }

    /// Pauses a VM whose volume is full, as Hyper-V does (contract 1.1).
    pub(crate) fn pause_for_lack_of_room(&mut self, vm: Uuid) -> Result<(), SimError> {
        let owner = self.vm_mut(vm)?;
        owner.power = PowerState::PausedCritical;
        owner.health_state = 20;
        Ok(())
    }
}
