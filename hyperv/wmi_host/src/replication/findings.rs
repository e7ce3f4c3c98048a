//! What is to be said of a replicated VM.

use hyperv_host::{Finding, Severity};
use jiff::Timestamp;

use super::TimesSeen;
use crate::WmiHost;
use crate::facts::{HostState, VmFacts, WindowsVersion};
use crate::plan::Way;

/// What a plan says of a VM's replication.
pub(crate) fn of_plan(host: &WmiHost, vm: &VmFacts, state: &HostState, way: Way) -> Vec<Finding> {
    let mut found = Vec::new();
    if way == Way::Writer {
        found.extend(of_vss(vm, &state.windows));
    }
    if vm.replication.is_replica() {
        let seen = host.options.journal.as_deref();
        let seen = seen.map(|folder| TimesSeen::read(folder, vm.id));
        found.extend(usually_idle(
            vm,
            &seen.unwrap_or_default(),
            host.clock.now(),
        ));
    }
    found
}

/// Says which state of a replica makes its host refuse a backup, for the end of `the VM waits: …`
/// (RVM-04).
pub(crate) fn stands_in_the_way(vm: &VmFacts) -> Option<String> {
    let replication = vm.replication;
    let why = replication
        .in_the_way()
        .filter(|_| replication.is_replica())?;
    Some(format!("it is a replica, and {why}"))
}

/// A host whose VSS writer refuses VMs that replicate (RVM-08). Which versions do: Contract: 7 [M]
fn of_vss(vm: &VmFacts, windows: &WindowsVersion) -> Option<Finding> {
    if windows.has_recovery_checkpoints() || !vm.replication.is_primary() {
        return None;
    }
    let text = "the VM replicates to another host, and on this version of Windows a snapshot of \
                its volumes may fail while it does";
    Some(
        Finding::new("VM-REPLICATION-VSS", Severity::Warn, text).cure(
            "let the backup pause the replication (--pause-replication); if the host still \
             refuses, remove the VM's replication before the backup: Remove-VMReplication",
        ),
    )
}

/// Says when a replica was found idle, from what was seen and from nothing else (RVM-06).
fn usually_idle(vm: &VmFacts, seen: &TimesSeen, now: Timestamp) -> Option<Finding> {
    let mut parts = Vec::new();
    if let Some(lag) = vm.replication.lag(now) {
        parts.push(format!("its newest change is {} min old", lag.as_mins()));
    }
    parts.extend(seen.idle_hours());
    if parts.is_empty() {
        return None;
    }
    let text = format!("replication of this VM: {}", parts.join("; "));
    Some(Finding::new("VM-REPLICA-TIMES", Severity::Info, text).cure(
        "back a replica up at a time at which it was idle before, or let the backup pause the \
         replication",
    ))
}
