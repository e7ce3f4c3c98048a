//! Pausing the replication of a VM, and resuming it whatever happens (RVM-07).

use std::time::Duration;

use hyperv_host::{Finding, HostError, HostErrorKind, Severity, StepObserver};
use wmi::{MethodError, Value, WmiErrorKind};

use crate::backup::link::Link;
use crate::backup::refusal::method_failure;
use crate::facts::{REPLICATING, SUSPENDED, VmFacts};
use crate::journal::OpenEntry;

/// How long a change of the replication's state may take: what is just applied is applied first.
const TIMEOUT: Duration = Duration::from_secs(120);
/// How long one is looked at that the host may still be about to pause.
const UNDECIDED_LOOK: Duration = Duration::from_secs(30);
/// A pause that was asked for comes about within this time, or not at all.
const PAUSING_MAX: Duration = Duration::from_secs(30 * 60);
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Pauses a VM's replication for as long as the run needs it; the journal knows before the host is
/// asked. One that was paused already is nobody's business here. A replication that cannot be
/// paused is a finding: the backup may work all the same.
pub(crate) fn pause(
    link: &Link,
    vm: &VmFacts,
    entry: &mut OpenEntry,
    observer: &dyn StepObserver,
) -> Result<Option<Finding>, HostError> {
    if !vm.replication.is_active() {
        return Ok(None);
    }
    observer.step("pausing the VM's replication");
    let now = link.clock.now();
    entry.change(|entry| {
        entry.replication_paused = true;
        entry.pause_asked = Some(now);
    })?;
    let error = match change_state(link, vm, SUSPENDED) {
        Ok(()) => {
            entry.change(|entry| entry.pause_asked = None)?;
            return Ok(None);
        }
        Err(NotChanged::Refused(error)) => {
            entry.change(|entry| entry.pause_asked = None)?;
            // Whether it was paused all the same is looked at when it is resumed.
            resume(link, entry)?;
            error
        }
        // It may come about any moment: it stays owed.
        Err(NotChanged::Undecided(error)) => error,
    };
    let text = format!("the VM's replication could not be paused for the backup: {error}");
    Ok(Some(
        Finding::new("VM-REPLICATION-NOT-PAUSED", Severity::Warn, text)
            .cure("see what Get-VMReplication says of the VM on its host"),
    ))
}

/// Resumes what the run has paused, and nothing else. Can be done again at any time. Returns whether
/// the host was changed.
///
/// # Errors
///
/// Also where the host may still pause it, since nobody knows what became of the request: then it
/// stays owed.
pub(crate) fn resume(link: &Link, entry: &mut OpenEntry) -> Result<bool, HostError> {
    if !entry.entry().replication_paused {
        return Ok(false);
    }
    let mut waited = Duration::ZERO;
    loop {
        let vm = link.vm(entry.entry().vm)?.ok_or_else(|| {
            let text = format!("the VM {} is gone", entry.entry().vm_name);
            HostError::new(HostErrorKind::NoSuchVm, text)
        })?;
        let is_paused = vm.replication.state == SUSPENDED;
        if is_paused {
            if entry.entry().pause_asked.is_some() {
                entry.change(|entry| entry.pause_asked = None)?;
            }
            change_state(link, &vm, REPLICATING).map_err(NotChanged::error)?;
        }
        if is_paused || !may_still_pause(link, entry, &vm) {
            entry.change(|entry| {
                entry.replication_paused = false;
                entry.pause_asked = None;
            })?;
            return Ok(is_paused);
        }
        if waited >= UNDECIDED_LOOK {
            return Err(undecided(link, &vm));
        }
        link.clock.wait(LOOK_EVERY);
        waited += LOOK_EVERY;
    }
}

/// Returns whether a request to pause, of which nobody knows what became, may still come about.
fn may_still_pause(link: &Link, entry: &OpenEntry, vm: &VmFacts) -> bool {
    let asked = entry.entry().pause_asked;
    let age = asked.map(|asked| link.clock.now().duration_since(asked).unsigned_abs());
    vm.replication.state != 0 && age.is_some_and(|age| age < PAUSING_MAX)
}

fn undecided(link: &Link, vm: &VmFacts) -> HostError {
    let text = format!(
        "{}: it was asked to pause the replication of {}, did not say what became of that, and may \
         still do it",
        link.host(),
        vm.name
    );
    HostError::new(HostErrorKind::Refused, text)
        .hint("look again in half an hour: lifeboat doctor --fix")
}

/// Why a state was not reached.
enum NotChanged {
    /// The host said no: it does not come about later.
    Refused(HostError),
    /// The answer was lost, or it was accepted and did not come about in time.
    Undecided(HostError),
}

impl NotChanged {
    fn error(self) -> HostError {
        match self {
            Self::Refused(error) | Self::Undecided(error) => error,
        }
    }
}

/// Changes the state of a VM's replication and waits until it is so.
///
/// The method is `Msvm_ComputerSystem`'s own (not that of `Msvm_ReplicationService`); without a
/// relationship it means the primary one. Before 2012 R2 it had another name and the same
/// parameters. That it takes either side's VM, and that state 3 resumes a paused one:
/// Contract: 1.1 [M]
fn change_state(link: &Link, vm: &VmFacts, state: u16) -> Result<(), NotChanged> {
    let doing = match state {
        SUSPENDED => format!("pausing the replication of {}", vm.name),
        _ => format!("resuming the replication of {}", vm.name),
    };
    let parameters = [("RequestedState", Value::from(state))];
    let method = "RequestReplicationStateChangeEx";
    let result = match link.call_object(&vm.path, method, &parameters) {
        Err(error) if has_no_method(&error) => {
            let method = "RequestReplicationStateChange";
            link.call_object(&vm.path, method, &parameters)
        }
        other => other,
    };
    let mut failed = result.err();
    let mut waited = Duration::ZERO;
    loop {
        let now = link.vm(vm.id).map_err(NotChanged::Undecided)?;
        if now.map(|now| now.replication.state) == Some(state) {
            return Ok(());
        }
        if let Some(error) = failed.take() {
            let is_refusal = is_refusal(&error);
            let error = method_failure(link.host(), &doing, error);
            // What was refused does not come about by waiting, and what is lost may take any time.
            return Err(match is_refusal {
                true => NotChanged::Refused(error),
                false => NotChanged::Undecided(error),
            });
        }
        if waited >= TIMEOUT {
            let text = format!("{}: {doing}: it was accepted, and is not done", link.host());
            let error = HostError::new(HostErrorKind::Refused, text)
                .hint("see what Get-VMReplication says of the VM on its host");
            return Err(NotChanged::Undecided(error));
        }
        link.clock.wait(LOOK_EVERY);
        waited += LOOK_EVERY;
    }
}

/// Returns whether the host said no, and does nothing: not where its answer was lost, or the job
/// goes on or is gone.
fn is_refusal(error: &MethodError) -> bool {
    match error {
        MethodError::Refused { .. } | MethodError::Job { .. } => true,
        MethodError::Wmi { source, .. } => matches!(
            source.kind(),
            WmiErrorKind::Authentication | WmiErrorKind::Denied | WmiErrorKind::NoMethod
        ),
        _ => false,
    }
}

fn has_no_method(error: &MethodError) -> bool {
    matches!(error, MethodError::Wmi { source, .. }
        if source.kind() == WmiErrorKind::NoMethod)
}
