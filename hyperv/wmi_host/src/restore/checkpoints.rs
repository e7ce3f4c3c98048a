//! Checkpoints that a definition lists: imported, or dropped (contract 4.1).

use hyperv_host::{Finding, HostError};
use wmi::{Value, WmiError};

use super::findings;
use super::planned_vm::{PlannedKind, PlannedSettings, PlannedVm, settings_of};
use crate::backup::checkpoint;
use crate::backup::link::{Link, MANAGEMENT_SERVICE};
use crate::backup::refusal::{is_answer, method_failure};
use crate::host_failure::host_failure;

const DOING: &str = "importing the checkpoints";

/// Imports the checkpoints of a folder that did not come with the definition, and drops those that
/// are not to be found: with one of them the planned VM would not become one that people see.
/// Without a folder the VM has no checkpoints.
pub(super) fn settle_checkpoints(
    link: &Link,
    planned: &PlannedVm,
    folder: Option<&str>,
) -> Result<Vec<Finding>, HostError> {
    let Some(folder) = folder else {
        for checkpoint in leaves_first(checkpoints(link, planned)?) {
            drop_it(link, &checkpoint)?;
        }
        return Ok(Vec::new());
    };
    let is_missing = |own: &PlannedSettings| own.kind == PlannedKind::Missing;
    if !checkpoints(link, planned)?.iter().any(is_missing) {
        return Ok(Vec::new());
    }
    let parameters = [
        ("PlannedSystem", Value::from(planned.path.clone())),
        ("SnapshotFolder", Value::from(folder)),
    ];
    let imported =
        link.call_patiently(MANAGEMENT_SERVICE, "ImportSnapshotDefinitions", &parameters);
    match imported {
        // What of it is still missing is looked at below.
        Err(error) if !is_answer(&error) => {
            return Err(method_failure(link.host(), DOING, error));
        }
        Ok(_) | Err(_) => {}
    }
    let mut findings = Vec::new();
    let missing = checkpoints(link, planned)?.into_iter().filter(is_missing);
    for checkpoint in leaves_first(missing.collect()) {
        let name = checkpoint.instance.text("ElementName").unwrap_or_default();
        drop_it(link, &checkpoint)?;
        findings.push(findings::checkpoint_missing(&name, checkpoint.owner));
    }
    Ok(findings)
}

fn checkpoints(link: &Link, planned: &PlannedVm) -> Result<Vec<PlannedSettings>, HostError> {
    let all = settings_of(link, planned.id);
    let all = all.map_err(|error| host_failure(link.host(), DOING, error))?;
    let is_checkpoint = |own: &PlannedSettings| own.kind != PlannedKind::Active;
    Ok(all.into_iter().filter(is_checkpoint).collect())
}

/// Orders checkpoints so that each comes before the one that it derives from.
fn leaves_first(mut checkpoints: Vec<PlannedSettings>) -> Vec<PlannedSettings> {
    let parent_of = |own: &PlannedSettings| {
        let parent = own.instance.value("Parent").to_reference()?;
        parent.key("InstanceID").map(str::to_owned)
    };
    let mut ordered = Vec::new();
    while !checkpoints.is_empty() {
        let parents: Vec<String> = checkpoints.iter().filter_map(parent_of).collect();
        let is_parent = |own: &PlannedSettings| {
            let id = own.instance.text("InstanceID").unwrap_or_default();
            parents
                .iter()
                .any(|parent| parent.eq_ignore_ascii_case(&id))
        };
        // Those that derive from each other in a ring have no order.
        let at = checkpoints.iter().position(|own| !is_parent(own));
        ordered.push(checkpoints.swap_remove(at.unwrap_or(0)));
    }
    ordered
}

/// Drops a checkpoint of a planned VM. Contract: 4.1 [M]
fn drop_it(link: &Link, checkpoint: &PlannedSettings) -> Result<(), HostError> {
    let dropped = checkpoint::destroy(link, &checkpoint.path);
    let Err(error) = dropped else {
        return Ok(());
    };
    let there = link.patiently(|| link.session.get(&checkpoint.path));
    match there {
        Err(own) if own.kind() == wmi::WmiErrorKind::NotFound => Ok(()),
        Err(own) => Err(failed(link, own)),
        Ok(_) => Err(method_failure(link.host(), DOING, error)),
    }
}

fn failed(link: &Link, error: WmiError) -> HostError {
    host_failure(link.host(), DOING, error)
}
