//! Taking VMs away, planned or not.

use std::time::Duration;

use hyperv_host::{HostError, HostErrorKind};
use uuid::Uuid;
use wmi::{MethodError, ObjectPath, Value, WmiError};

use super::planned_vm::planned_vms;
use crate::backup::link::{Link, MANAGEMENT_SERVICE};
use crate::backup::refusal::method_failure;
use crate::facts::VmFacts;
use crate::host_failure::host_failure;

/// Tries to take away what the host is busy with.
const TRIES: u32 = 15;
const TRY_EVERY: Duration = Duration::from_secs(2);

/// `DestroySystem`, of a VM or a planned one. Whether a failure means that it is still there has to
/// be looked at. Disks stay. Contract: 4.1 [M]
pub(super) fn destroy_system(link: &Link, system: &ObjectPath) -> Result<(), MethodError> {
    let parameters = [("AffectedSystem", Value::from(system.clone()))];
    link.call_patiently(MANAGEMENT_SERVICE, "DestroySystem", &parameters)?;
    Ok(())
}

/// What is to be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// A planned VM.
    Planned,
    /// A VM that people see.
    Realized,
}

/// Destroys a system and sees that it is gone, whatever the host answers.
pub(super) fn take_away(
    link: &Link,
    system: &ObjectPath,
    id: Uuid,
    sort: Sort,
    name: &str,
) -> Result<(), HostError> {
    let doing = match sort {
        Sort::Planned => format!("removing the planned VM {name}"),
        Sort::Realized => format!("removing the VM {name}"),
    };
    let mut destroyed = destroy_system(link, system);
    for _ in 0..TRIES {
        // Something that was asked for before, and was given up, may still be under way.
        match &destroyed {
            Err(error) if error.is_conflict() => link.clock.wait(TRY_EVERY),
            _ => break,
        }
        destroyed = destroy_system(link, system);
    }
    let failed = |error| host_failure(link.host(), &doing, error);
    // Hosts report failures of what they have done, and are done a moment after they say so.
    let gone = match &destroyed {
        Err(error) if crate::backup::refusal::is_answer(error) => {
            (!is_there(link, id, sort).map_err(failed)?).then_some(())
        }
        _ => {
            let gone = |_| Ok((!is_there(link, id, sort)?).then_some(()));
            link.look_for(gone).map_err(failed)?
        }
    };
    match (gone, destroyed) {
        (Some(()), _) => Ok(()),
        (None, Err(error)) => Err(method_failure(link.host(), &doing, error)),
        (None, Ok(())) => {
            let text = format!(
                "{}: {doing}: it was done, and it is still there",
                link.host()
            );
            Err(HostError::new(HostErrorKind::Refused, text)
                .hint("look at the event log Hyper-V-VMMS/Admin on the host"))
        }
    }
}

fn is_there(link: &Link, id: Uuid, sort: Sort) -> Result<bool, WmiError> {
    match sort {
        Sort::Planned => Ok(planned_vms(link)?.iter().any(|own| own.id == id)),
        Sort::Realized => link.patiently(|| VmFacts::is_here(&*link.session, id)),
    }
}
