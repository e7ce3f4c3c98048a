//! Starting and stopping VMs.

use std::time::Duration;

use uuid::Uuid;

use crate::host_state::HostState;
use crate::{PowerState, SimError, SimErrorKind, SimHost, TraceKind};

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
        self.set_power_now(vm, power)
    }

    /// Takes a VM to `Running`, `Off`, `Saved` or `Paused`, whatever it does.
    pub(crate) fn set_power_now(&mut self, vm: Uuid, power: PowerState) -> Result<(), SimError> {
        let now = self.now;
        let owner = self.vm_mut(vm)?;
        let found = owner.power;
        owner.power = power;
        if power == PowerState::Running {
            owner.health_state = 5;
        }
        // The guest's uptime begins anew also after it was saved (requirement SAVE-13).
        if power.has_memory() && !found.has_memory() {
            owner.started = Some(now);
        }
        self.write_configuration(vm)?;
        if let Some(kind) = traced(found, power) {
            self.trace(Some(vm), kind);
        }
        // A VM that starts merges what was held back or failed (contract 2.4).
        if power == PowerState::Running && found == PowerState::Off {
            self.vm_mut(vm)?.merges_enabled = true;
            self.clear_leftovers(vm)?;
        }
        Ok(())
    }

    /// Returns how long the memory of a VM takes to be written, or to be read again.
    pub(crate) fn time_for_memory(&self, vm: Uuid) -> Result<Duration, SimError> {
        let memory_mib = self.vm(vm)?.memory.startup_mib;
        let each_second = self.facts.behavior.save_mib_per_second.max(1);
        Ok(Duration::from_millis(
            memory_mib.saturating_mul(1000) / each_second,
        ))
    }

    /// Pauses a VM whose volume is full, as Hyper-V does (contract 1.1).
    pub(crate) fn pause_for_lack_of_room(&mut self, vm: Uuid) -> Result<(), SimError> {
        let owner = self.vm_mut(vm)?;
        owner.power = PowerState::PausedCritical;
        owner.health_state = 20;
        Ok(())
    }
}

/// Returns what the trace says of a change from one state to another.
fn traced(found: PowerState, power: PowerState) -> Option<TraceKind> {
    match power {
        _ if found == power => None,
        PowerState::Running if found == PowerState::Off => Some(TraceKind::Started),
        PowerState::Running => Some(TraceKind::Resumed),
        PowerState::Off => Some(TraceKind::Stopped),
        PowerState::Saved => Some(TraceKind::Saved),
        PowerState::Paused => Some(TraceKind::Paused),
        _ => None,
    }
}
