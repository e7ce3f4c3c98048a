//! Giving a VM back what it was doing before it was saved (requirements SAVE-04, SAVE-10).

use std::time::Duration;

use hyperv_host::{HostError, HostErrorKind, PowerState};

use crate::backup::link::Link;
use crate::cluster::{PowerChange, change_power};
use crate::facts::VmFacts;
use crate::journal::{FoundState, OpenEntry};

/// How long a VM may be on its way from one state to another.
const WAY_MAX: Duration = Duration::from_secs(1800);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Saves a running VM for its run. What it was doing is in the journal first.
pub(super) fn save(link: &Link, vm: &VmFacts, entry: &mut OpenEntry) -> Result<(), HostError> {
    let found = FoundState::of(vm.state);
    entry.change(|entry| entry.found = found)?;
    change_power(link, vm, PowerChange::Save)
}

/// Gives a VM back what it was doing before its run saved it, as the journal has it, and notes that
/// it was done. Returns whether anything was.
///
/// A VM that somebody has turned off meanwhile stays off.
pub(crate) fn give_back(
    link: &Link,
    vm: &VmFacts,
    entry: &mut OpenEntry,
) -> Result<bool, HostError> {
    let Some(found) = entry.entry().found else {
        return Ok(false);
    };
    let now = settled_state(link, vm)?;
    let mut changed = false;
    if now.state == PowerState::Saved {
        change_power(link, &now, PowerChange::Run)?;
        changed = true;
    }
    let is_running = changed || now.state == PowerState::Running;
    if found == FoundState::Paused && is_running {
        let now = settled_state(link, vm)?;
        change_power(link, &now, PowerChange::Pause)?;
        changed = true;
    }
    entry.change(|entry| entry.found = None)?;
    Ok(changed)
}

/// Reads a VM once it is not on its way from one state to another.
fn settled_state(link: &Link, vm: &VmFacts) -> Result<VmFacts, HostError> {
    let mut waited = Duration::ZERO;
    loop {
        let now = link.vm(vm.id)?;
        let now = now.ok_or_else(|| unreached(vm, "the host does not have it any more"))?;
        if now.critical {
            return Err(unreached(vm, "it is without its storage"));
        }
        if now.state != PowerState::Other {
            return Ok(now);
        }
        if waited >= WAY_MAX {
            return Err(unreached(vm, &format!("it is {}", now.state_text)));
        }
        link.clock.wait(LOOK_EVERY);
        waited += LOOK_EVERY;
    }
}

fn unreached(vm: &VmFacts, why: &str) -> HostError {
    let text = format!("the VM {} cannot be brought back: {why}", vm.name);
    HostError::new(HostErrorKind::Refused, text)
        .hint("look at the event log Hyper-V-VMMS/Admin on the host")
}
