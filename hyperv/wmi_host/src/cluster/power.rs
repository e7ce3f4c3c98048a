//! Changing a VM's power, in a cluster through the cluster (CLUS-04, CLUS-05).
//!
//! A cluster restarts a VM, here or on another node, that stops without its order. So whoever wants
//! a VM saved, or running again, asks [`change_power`] and nobody else: it takes the way that does
//! not surprise the cluster, and on a host by itself Hyper-V's own.

use std::time::Duration;

use hyperv_host::{Finding, HostError, HostErrorKind, PowerState, Severity};
use wmi::{CLUSTER, Instance, MethodError, ObjectPath, Value, WmiError};

use crate::backup::link::Link;
use crate::backup::refusal::method_failure;
use crate::facts::{ResourceState, VmFacts, cluster_vm_resource};
use crate::host_failure::host_failure;

/// What is to become of a VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PowerChange {
    /// Its memory goes to a file, and it stops.
    Save,
    /// It runs (on): started, or woken up from saved or paused.
    Run,
    /// It stays in memory and does not run.
    Pause,
}

/// How long a cluster may take for a change; saving the memory of a large VM takes its time.
const TIMEOUT: Duration = Duration::from_secs(15 * 60);
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Changes a VM's power and waits until it is so. Whether the VM is a cluster's is asked anew each
/// time: it may have become one, or moved.
///
/// # Errors
///
/// `Blocked` where the cluster would not save the VM: then nothing was asked for. `Busy` where
/// another operation stands in the way, else what the host or the cluster says. What
/// the VM is doing after an error has to be looked at.
pub(crate) fn change_power(
    link: &Link,
    vm: &VmFacts,
    change: PowerChange,
) -> Result<(), HostError> {
    let name = &vm.name;
    let doing = match change {
        PowerChange::Save => format!("saving the VM {name}"),
        PowerChange::Run => format!("letting the VM {name} run"),
        PowerChange::Pause => format!("pausing the VM {name}"),
    };
    let resource = link.patiently(|| cluster_vm_resource(&*link.session, vm.id));
    let resource = resource.map_err(|error| host_failure(link.host(), &doing, error))?;
    if let (Some(resource), PowerChange::Save) = (&resource, change) {
        refuse_other_than_saving(vm, resource)?;
    }
    let result = match (resource, change) {
        // A paused VM is online to its cluster, and only Hyper-V itself pauses or wakes one.
        (Some(resource), PowerChange::Save) => take_offline(link, &resource),
        (Some(resource), PowerChange::Run) if vm.state != PowerState::Paused => {
            bring_online(link, &resource)
        }
        _ => request_state(link, &vm.path, change),
    };
    result.map_err(|error| method_failure(link.host(), &doing, error))?;
    wait_for(link, vm, change, &doing)
}

/// Takes the role of a VM offline, whatever that does to the VM, and waits until it is: what is
/// done to the VM then is no failure to the cluster (CLUS-06). Does nothing where no cluster has it.
pub(crate) fn take_role_offline(link: &Link, vm: &VmFacts) -> Result<(), HostError> {
    let doing = format!("taking the role of the VM {} offline", vm.name);
    let failed = |error| host_failure(link.host(), &doing, error);
    let role = || {
        let resource = link.patiently(|| cluster_vm_resource(&*link.session, vm.id));
        resource.map_err(failed)
    };
    let is_at_rest = |resource: &Instance| {
        let state = ResourceState::of(resource.number("State"));
        matches!(state, ResourceState::Offline | ResourceState::Failed)
    };
    let Some(resource) = role()?.filter(|own| !is_at_rest(own)) else {
        return Ok(());
    };
    let mut asked = Some(take_offline(link, &resource));
    let mut waited = Duration::ZERO;
    while role()?.is_some_and(|own| !is_at_rest(&own)) {
        // What was answered counts only where it did not come about.
        if let Some(Err(error)) = asked.take() {
            return Err(method_failure(link.host(), &doing, error));
        }
        if waited >= TIMEOUT {
            let text = format!("{}: {doing}: it has not ended", link.host());
            return Err(
                HostError::new(HostErrorKind::Refused, text).hint("look at the cluster's events")
            );
        }
        link.clock.wait(LOOK_EVERY);
        waited += LOOK_EVERY;
    }
    Ok(())
}

/// Tells the cluster that the configuration of a VM has changed: `UpdateVirtualMachine`. Does
/// nothing where no cluster has the VM. Contract: 6 [M]
pub(crate) fn update_role(link: &Link, vm: uuid::Uuid) -> Result<(), MethodError> {
    let method = "UpdateVirtualMachine";
    let failed = |source: WmiError| MethodError::Wmi {
        method: method.to_owned(),
        source,
    };
    let resource = link.patiently(|| cluster_vm_resource(&*link.session, vm));
    match resource.map_err(failed)? {
        Some(resource) => call_cluster(link, &resource, method, &[]),
        None => Ok(()),
    }
}

/// `Msvm_ComputerSystem.RequestStateChange` (contract 1.1). In a cluster only between running and
/// paused, which the cluster does not take for a failure. Contract: 6 [M]
fn request_state(link: &Link, vm: &ObjectPath, change: PowerChange) -> Result<(), MethodError> {
    let state: u16 = match change {
        PowerChange::Run => 2,
        PowerChange::Save => 6,
        PowerChange::Pause => 9,
    };
    let parameters = [("RequestedState", Value::from(state))];
    link.call_object(vm, "RequestStateChange", &parameters)
}

/// `MSCluster_Resource.BringOnline`: the VM is started, or goes on from its saved state.
/// Contract: 6 [M]
fn bring_online(link: &Link, resource: &Instance) -> Result<(), MethodError> {
    let parameters = [("TimeOut", Value::from(timeout_seconds()))];
    call_cluster(link, resource, "BringOnline", &parameters)
}

/// Takes a VM's resource offline, which saves it: see [`refuse_other_than_saving`].
fn take_offline(link: &Link, resource: &Instance) -> Result<(), MethodError> {
    let parameters = [
        ("TimeOut", Value::from(timeout_seconds())),
        ("Flags", Value::from(0_u32)),
    ];
    call_cluster(link, resource, "TakeOffline", &parameters)
}

/// Refuses to save a VM whose resource does anything else when it is taken offline: it would be
/// shut down or turned off, and nothing would start it again. `TakeOfflineParams` may say otherwise
/// for one call; how is a guess until it is seen on a real cluster, so it is not used.
fn refuse_other_than_saving(vm: &VmFacts, resource: &Instance) -> Result<(), HostError> {
    let does = match offline_action(resource) {
        Some(SAVE) => return Ok(()),
        Some(0) => "turn it off".to_owned(),
        Some(2 | 3) => "shut it down".to_owned(),
        Some(other) => format!("do something else (OfflineAction {other})"),
        None => "do what it does not tell".to_owned(),
    };
    let text = format!(
        "the VM {} is a role of a cluster, which would {does} instead of saving it",
        vm.name
    );
    let finding = Finding::new("VM-SAVED-STATE-REFUSED", Severity::Block, text);
    Err(HostError::blocked(&finding.cure(
        "let the cluster save it: Get-ClusterResource | ? ResourceType -eq 'Virtual Machine' | \
         Set-ClusterParameter OfflineAction 1, for this VM's resource",
    )))
}

/// `VmResdllContextSave` of `VM_RESDLL_CONTEXT` (resapi.h), which is also what the private property
/// `OfflineAction` of a VM's resource counts in.
const SAVE: u32 = 1;

/// Returns what a VM's resource does when it is taken offline; `None`: the cluster does not say.
/// Contract: 6 [M]
fn offline_action(resource: &Instance) -> Option<u32> {
    let Value::Instance(properties) = resource.value("PrivateProperties") else {
        return None;
    };
    properties.number("OfflineAction")
}

/// Seconds, as the cluster's methods count. Contract: 6 [M]
fn timeout_seconds() -> u32 {
    u32::try_from(TIMEOUT.as_secs()).unwrap_or(u32::MAX)
}

/// Calls a method of a resource. Clusters tell of failures by errors, not by return values, and of
/// one that takes longer than it may by `ERROR_IO_PENDING`. Contract: 6 [M]
fn call_cluster(
    link: &Link,
    resource: &Instance,
    method: &str,
    parameters: &[(&str, Value)],
) -> Result<(), MethodError> {
    const PENDING: u32 = 997;
    let failed = |source: WmiError| MethodError::Wmi {
        method: method.to_owned(),
        source,
    };
    let name = resource.required_text("Name").map_err(failed)?;
    let path = ObjectPath::new(CLUSTER, "MSCluster_Resource").with_key("Name", name);
    match link.call_object(&path, method, parameters) {
        Err(error) if error.code().is_some_and(|code| code & 0xFFFF == PENDING) => Ok(()),
        other => other,
    }
}

/// Waits until the VM is as it was asked to be.
fn wait_for(link: &Link, vm: &VmFacts, change: PowerChange, doing: &str) -> Result<(), HostError> {
    let wanted = match change {
        PowerChange::Save => PowerState::Saved,
        PowerChange::Run => PowerState::Running,
        PowerChange::Pause => PowerState::Paused,
    };
    let mut waited = Duration::ZERO;
    loop {
        let now = link.vm(vm.id)?;
        let state = now.as_ref().map(|now| now.state);
        if state == Some(wanted) {
            return Ok(());
        }
        // A VM that is off is not saved later.
        let is_lost = change == PowerChange::Save && state == Some(PowerState::Off);
        if is_lost || waited >= TIMEOUT || role_failed(link, vm) {
            let is = now.map_or("gone", |now| now.state_text);
            let text = format!("{}: {doing}: it was done, and the VM is {is}", link.host());
            let error = HostError::new(HostErrorKind::Refused, text);
            return Err(error.hint("look at the cluster's events, and at Hyper-V-VMMS/Admin"));
        }
        link.clock.wait(LOOK_EVERY);
        waited += LOOK_EVERY;
    }
}

/// The cluster has given up: waiting is of no use.
fn role_failed(link: &Link, vm: &VmFacts) -> bool {
    let resource = cluster_vm_resource(&*link.session, vm.id);
    resource.is_ok_and(|resource| {
        resource.is_some_and(|own| ResourceState::of(own.number("State")) == ResourceState::Failed)
    })
}
