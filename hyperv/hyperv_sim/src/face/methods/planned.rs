//! Import, validation and realisation of planned VMs, and the removal and making of VMs
//! (contract 4.1).

use uuid::Uuid;
use wmi::Instance;

use super::super::object::Object;
use super::super::view::HostView;
use super::new_devices::{Change, new_device};
use super::parameters::Parameters;
use super::systems::system_change;
use super::{Outcome, invalid};
use crate::SimError;
use crate::host_state::HostState;

/// `ImportSystemDefinition`
pub(crate) fn import(
    state: &mut HostState,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let definition = parameters.required_text("SystemDefinitionFile")?;
    state.local_path(&definition)?;
    let folder = parameters.text("SnapshotFolder");
    let new = parameters.value("GenerateNewSystemIdentifier").to_bool();
    let new = new.ok_or_else(|| invalid("GenerateNewSystemIdentifier is missing"))?;
    let job = state.import(&definition, folder, new)?;
    Ok(Outcome::Started(job))
}

/// `ImportSnapshotDefinitions`
pub(crate) fn import_snapshots(
    state: &mut HostState,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let vm = planned(state, parameters, "PlannedSystem")?;
    let folder = parameters.required_text("SnapshotFolder")?;
    state.import_checkpoints(vm, &folder).map(Outcome::Started)
}

/// `ValidatePlannedSystem`
pub(crate) fn validate(
    state: &mut HostState,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let vm = planned(state, parameters, "PlannedSystem")?;
    state.validate(vm).map(Outcome::Started)
}

/// `RealizePlannedSystem`
pub(crate) fn realize(
    state: &mut HostState,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let vm = planned(state, parameters, "PlannedSystem")?;
    state.realize(vm).map(Outcome::Started)
}

/// `DestroySystem`, of a VM or of one that is planned.
pub(crate) fn destroy(
    state: &mut HostState,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let job = match parameters.object(HostView::new(state), "AffectedSystem")? {
        Object::Vm(vm) => state.destroy_system(vm)?,
        Object::PlannedVm(vm) => state.destroy_planned(vm)?,
        _ => return Err(invalid("AffectedSystem is not a virtual machine")),
    };
    Ok(Outcome::Started(job))
}

/// `DefineSystem`: a VM without disks. Of its resources only memory, processors, controllers and
/// adapters are taken; what needs something that is not there yet is added later.
pub(crate) fn define(
    state: &mut HostState,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let class = "Msvm_VirtualSystemSettingData";
    let view = HostView::new(state);
    let settings = parameters.embedded(view, "SystemSettings", class)?;
    let settings = settings.unwrap_or_else(|| Instance::new(class));
    let generation = match settings.text("VirtualSystemSubType") {
        None => 1,
        Some(kind) => match kind.rsplit(':').next().and_then(|last| last.parse().ok()) {
            Some(generation) => generation,
            None => return Err(invalid(format!("{kind} is not a VirtualSystemSubType"))),
        },
    };
    let mut devices = Vec::new();
    for wanted in parameters.embedded_list(view, "ResourceSettings")? {
        match new_device(state, &wanted)? {
            Some(Change { change, .. }) => devices.push(change),
            None => return Ok(Outcome::Refused(super::NOT_SUPPORTED)),
        }
    }
    let change = system_change(&settings, None)?;
    let version = settings.text("Version");
    let job = state.define_system(generation, version, change, devices)?;
    Ok(Outcome::Started(job))
}

/// Returns the planned VM that a reference names.
fn planned(state: &HostState, parameters: &Parameters<'_>, name: &str) -> Result<Uuid, SimError> {
    match parameters.object(HostView::new(state), name)? {
        Object::PlannedVm(id) => Ok(id),
        _ => Err(invalid(format!("{name} is not a planned virtual machine"))),
    }
}
