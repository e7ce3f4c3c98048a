//! From a planned VM to one that people see (contract 4.1).

use hyperv_host::{Finding, HostError, HostErrorKind, PowerState};
use wmi::{Completed, Instance, MethodError, ObjectPath, Value, WmiError};

use super::findings;
use super::planned_vm::{PlannedVm, planned_vms};
use crate::backup::link::{Link, MANAGEMENT_SERVICE};
use crate::backup::refusal::method_failure;
use crate::facts::VmFacts;
use crate::host_failure::host_failure;

/// Has the host look whether the planned VM would run there; returns what it only notes.
pub(super) fn validate(link: &Link, planned: &PlannedVm) -> Result<Vec<Finding>, HostError> {
    let parameters = [("PlannedSystem", Value::from(planned.path.clone()))];
    let method = "ValidatePlannedSystem";
    match link.call_patiently(MANAGEMENT_SERVICE, method, &parameters) {
        Ok(done) => Ok(notes(link, &done)),
        Err(error) => Err(not_valid(link, error)),
    }
}

/// Reads what a validation notes that has gone well: a job that completed with warnings.
/// Contract: 0.3 [M]
fn notes(link: &Link, done: &Completed) -> Vec<Finding> {
    const WITH_WARNINGS: u16 = 32768;
    let (Some(job), Some(path)) = (&done.job, &done.job_path) else {
        return Vec::new();
    };
    if job.number("JobState") != Some(WITH_WARNINGS) {
        return Vec::new();
    }
    let mut texts = messages_of(link, path);
    texts.extend(job.text("ErrorDescription").filter(|_| texts.is_empty()));
    texts
        .iter()
        .map(|text| findings::validation_note(text))
        .collect()
}

/// Makes the error of a planned VM that is not valid here, with all that the host says of it.
fn not_valid(link: &Link, error: MethodError) -> HostError {
    const DOING: &str = "validating the planned VM";
    let MethodError::Job { failure, .. } = &error else {
        return method_failure(link.host(), DOING, error);
    };
    let mut texts = messages_of(link, &failure.job);
    texts.retain(|text| !failure.description.contains(text.as_str()));
    let failed = method_failure(link.host(), DOING, error);
    let text = match texts.is_empty() {
        true => failed.to_string(),
        false => format!("{failed}; {}", texts.join("; ")),
    };
    HostError::new(HostErrorKind::Refused, text)
        .hint(
            "restore it with other networks or to another host, or make a new VM of its typed \
             configuration",
        )
        .caused_by(failed)
}

/// Returns what a job says that went wrong: `GetErrorEx`. Contract: 0.3 [M]
fn messages_of(link: &Link, job: &ObjectPath) -> Vec<String> {
    let asked = link.patiently(|| link.session.invoke(job, "GetErrorEx", &[]));
    let Ok(output) = asked else {
        return Vec::new();
    };
    let errors = output.parameters.texts("Errors");
    let message = |text: &String| Instance::from_cim_xml(text).ok()?.text("Message");
    let mut texts: Vec<String> = Vec::new();
    for text in errors.iter().filter_map(message) {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

/// Makes a VM of the planned one. It is off afterwards, unless it has memory to keep.
pub(super) fn realize(
    link: &Link,
    planned: &PlannedVm,
    keep_memory: bool,
) -> Result<VmFacts, HostError> {
    const DOING: &str = "making the VM of the planned one";
    let parameters = [("PlannedSystem", Value::from(planned.path.clone()))];
    let realized = link.call(MANAGEMENT_SERVICE, "RealizePlannedSystem", &parameters);
    if let Err(error) = realized
        && !took_place(link, planned).unwrap_or(false)
    {
        return Err(method_failure(link.host(), DOING, error));
    }
    let failed = |error| host_failure(link.host(), DOING, error);
    // The VM is made: one look that fails is no reason to say that it is not.
    let look = |left| match link.patiently(|| VmFacts::read(&*link.session, planned.id)) {
        Err(_) if left > 0 => Ok(None),
        other => other,
    };
    let vm = link.look_for(look).map_err(failed)?;
    let vm = vm.ok_or_else(|| {
        let text = format!(
            "{}: {DOING}: it was done, and the VM is not there",
            link.host()
        );
        HostError::new(HostErrorKind::Refused, text)
            .hint("look at the event log Hyper-V-VMMS/Admin on the host")
    })?;
    without_memory(link, vm, keep_memory)
}

/// Sees that a VM is off that is not to keep its memory.
pub(super) fn without_memory(
    link: &Link,
    vm: VmFacts,
    keep_memory: bool,
) -> Result<VmFacts, HostError> {
    if !keep_memory && vm.state == PowerState::Saved {
        super::power::discard_memory(link, &vm)?;
    }
    Ok(vm)
}

/// Returns whether a realisation that seems to have failed took place: the VM is there, and the
/// planned one is not any more.
fn took_place(link: &Link, planned: &PlannedVm) -> Result<bool, WmiError> {
    let look = |_| {
        let still = planned_vms(link)?.iter().any(|own| own.id == planned.id);
        let there = link.patiently(|| VmFacts::is_here(&*link.session, planned.id))?;
        Ok((there && !still).then_some(()))
    };
    Ok(link.look_for(look)?.is_some())
}
