//! Pausing the replication of a VM, and resuming it whatever happens (RVM-07).

use std::time::Duration;

use hyperv_host::{Finding, HostError, HostErrorKind, Severity, StepObserver};
use wmi::{MethodError, Value};

use crate::backup::link::Link;
use crate::backup::refusal::method_failure;
use crate::facts::{REPLICATING, SUSPENDED, VmFacts};
use crate::journal::OpenEntry;

/// How long a change of the replication's state may take: what is just applied is applied first.
const TIMEOUT: Duration = Duration::from_secs(120);
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
    entry.change(|entry| entry.replication_paused = true)?;
    let Err(error) = change_state(link, vm, SUSPENDED) else {
        return Ok(None);
    };
    // Whether it was paused all the same is looked at when it is resumed.
    resume(link, entry)?;
    let text = format!("the VM's replication could not be paused for the backup: {error}");
    Ok(Some(
        Finding::new("VM-REPLICATION-NOT-PAUSED", Severity::Warn, text)
            .cure("see what Get-VMReplication says of the VM on its host"),
    ))
}

/// Resumes what the run has paused, and nothing else. Can be done again at any time. Returns whether
/// the host was changed.
pub(crate) fn resume(link: &Link, entry: &mut OpenEntry) -> Result<bool, HostError> {
    if !entry.entry().replication_paused {
        return Ok(false);
    }
    let vm = link.vm(entry.entry().vm)?.ok_or_else(|| {
        let text = format!("the VM {} is gone", entry.entry().vm_name);
        HostError::new(HostErrorKind::NoSuchVm, text)
    })?;
    let is_paused = vm.replication.state == SUSPENDED;
    if is_paused {
        change_state(link, &vm, REPLICATING)?;
    }
    entry.change(|entry| entry.replication_paused = false)?;
    Ok(is_paused)
}

/// Changes the state of a VM's replication and waits until it is so.
///
/// The method is `Msvm_ComputerSystem`'s own (not that of `Msvm_ReplicationService`); without a
/// relationship it means the primary one. Before 2012 R2 it had another name and the same
/// parameters. That it takes either side's VM, and that state 3 resumes a paused one:
/// Contract: 1.1 [M]
fn change_state(link: &Link, vm: &VmFacts, state: u16) -> Result<(), HostError> {
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
    let failed = result.map_err(|error| method_failure(link.host(), &doing, error));
    let mut waited = Duration::ZERO;
    loop {
        let now = link.vm(vm.id)?.map(|now| now.replication.state);
        if now == Some(state) {
            return Ok(());
        }
        // What was refused does not come about by waiting.
        failed.as_ref().map_err(again)?;
        if waited >= TIMEOUT {
            let text = format!("{}: {doing}: it was accepted, and is not done", link.host());
            return Err(HostError::new(HostErrorKind::Refused, text)
                .hint("see what Get-VMReplication says of the VM on its host"));
        }
        link.clock.wait(LOOK_EVERY);
        waited += LOOK_EVERY;
    }
}

fn has_no_method(error: &MethodError) -> bool {
    matches!(error, MethodError::Wmi { source, .. }
        if source.kind() == wmi::WmiErrorKind::NoMethod)
}

fn again(error: &HostError) -> HostError {
    let again = HostError::new(error.kind(), error.to_string());
    match error.hint_text() {
        Some(hint) => again.hint(hint),
        None => again,
    }
}
