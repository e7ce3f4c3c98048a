//! Giving a VM back what it was doing before it was saved (requirements SAVE-04, SAVE-10).

use std::error::Error as _;
use std::time::Duration;

use hyperv_host::{HostError, HostErrorKind, PowerState};

use crate::backup::link::Link;
use crate::backup::refusal::is_answer;
use crate::cluster::{PowerChange, change_power};
use crate::facts::VmFacts;
use crate::journal::{FoundState, OpenEntry};

/// How long a VM may be on its way from one state to another.
const WAY_MAX: Duration = Duration::from_secs(1800);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A save whose end is not known comes about within this time, or not at all.
const SAVE_MAY_COME: Duration = Duration::from_secs(60);

/// Saves a running VM for its run. What it was doing is in the journal first.
fn save(link: &Link, vm: &VmFacts, entry: &mut OpenEntry) -> Result<(), HostError> {
    let found = FoundState::of(vm.state);
    let now = link.clock.now();
    entry.change(|entry| {
        entry.found = found;
        entry.save_asked = Some(now);
    })?;
    let saved = change_power(link, vm, PowerChange::Save);
    if saved.as_ref().err().is_none_or(is_refusal) {
        let noted = entry.change(|entry| entry.save_asked = None);
        return saved.and(noted);
    }
    saved
}

/// Returns whether the host itself said that it does not save the VM, or was not even asked.
fn is_refusal(error: &HostError) -> bool {
    if error.kind() == HostErrorKind::Blocked {
        return true;
    }
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    cause.is_some_and(is_answer)
}

/// A VM that is saved for its run. Dropped, as by a panic, it is brought back.
pub(super) struct Saved<'a> {
    link: Link,
    vm: VmFacts,
    entry: &'a mut OpenEntry,
}

impl<'a> Saved<'a> {
    /// Saves a running VM.
    pub(super) fn of(link: Link, vm: VmFacts, entry: &'a mut OpenEntry) -> Result<Self, HostError> {
        // From here on whatever goes wrong drops it.
        let saved = Self { link, vm, entry };
        save(&saved.link, &saved.vm, saved.entry)?;
        Ok(saved)
    }

    /// Brings the VM back.
    pub(super) fn bring_back(self) -> Result<(), HostError> {
        give_back(&self.link, &self.vm, self.entry).map(|_| ())
    }
}

impl Drop for Saved<'_> {
    fn drop(&mut self) {
        // Nobody hears of what fails; the journal does. Once it is given back this does nothing.
        let _ = give_back(&self.link, &self.vm, self.entry);
    }
}

/// Gives a VM back what it was doing before its run saved it, as the journal has it, and notes that
/// it was done. Returns whether anything was.
///
/// A VM that somebody has turned off meanwhile stays off. One of which it is not known whether a
/// save is still under way has to run for a while before it is taken for given back.
pub(crate) fn give_back(
    link: &Link,
    vm: &VmFacts,
    entry: &mut OpenEntry,
) -> Result<bool, HostError> {
    let Some(found) = entry.entry().found else {
        return Ok(false);
    };
    let now = match entry.entry().save_asked {
        Some(_) => after_the_save(link, vm)?,
        None => settled_state(link, vm)?,
    };
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
    entry.change(|entry| {
        entry.found = None;
        entry.save_asked = None;
    })?;
    Ok(changed)
}

/// Reads a VM of which it is not known whether a save is under way: once it is saved, or goes on
/// running without anything being done with it.
fn after_the_save(link: &Link, vm: &VmFacts) -> Result<VmFacts, HostError> {
    let mut quiet = Duration::ZERO;
    let mut waited = Duration::ZERO;
    loop {
        let now = settled_state(link, vm)?;
        if now.state != PowerState::Running || quiet >= SAVE_MAY_COME {
            return Ok(now);
        }
        if waited >= WAY_MAX {
            let what = "it is not known whether it is being saved";
            return Err(unreached(vm, what));
        }
        link.clock.wait(LOOK_EVERY);
        waited += LOOK_EVERY;
        quiet = match now.operation {
            None => quiet + LOOK_EVERY,
            Some(_) => Duration::ZERO,
        };
    }
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
