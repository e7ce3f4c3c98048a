//! Reference points: `ConvertToReferencePoint` and `Msvm_VirtualSystemReferencePointService`
//! (contract 2.1, 2.2).

use super::super::view::HostView;
use super::parameters::Parameters;
use super::{Outcome, invalid};
use crate::host_state::HostState;
use crate::{Consistency, SimError};

pub(crate) fn convert(
    state: &mut HostState,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let view = HostView::new(state);
    let id = parameters.snapshot(view, "AffectedSnapshot")?;
    // Clients leave the settings out; what they would say, the checkpoint knows.
    read_consistency(parameters, view)?;
    state.convert_to_reference_point(id).map(Outcome::Started)
}

pub(crate) fn create(
    state: &mut HostState,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let view = HostView::new(state);
    let vm = parameters.vm(view, "AffectedSystem")?;
    let kind = parameters.required_number::<u16>("ReferencePointType")?;
    if !is_tracking_type(kind) {
        return Err(invalid(format!("{kind} is not a ReferencePointType")));
    }
    let consistency = read_consistency(parameters, view)?.unwrap_or(Consistency::Crash);
    state
        .create_reference_point(vm, consistency)
        .map(Outcome::Started)
}

/// Returns whether a `ReferencePointType` means change tracking. The class says 2, the method 1;
/// callers use 2. Contract: 2.2 [V?]
fn is_tracking_type(number: u16) -> bool {
    matches!(number, 1 | 2)
}

fn read_consistency(
    parameters: &Parameters<'_>,
    view: HostView<'_>,
) -> Result<Option<Consistency>, SimError> {
    let class = "Msvm_VirtualSystemReferencePointSettingData";
    let settings = parameters.embedded(view, "ReferencePointSettings", class)?;
    let Some(settings) = settings else {
        return Ok(None);
    };
    match settings.number::<u8>("ConsistencyLevel") {
        None | Some(0) => Ok(None),
        Some(1) => Ok(Some(Consistency::Application)),
        Some(2) => Ok(Some(Consistency::Crash)),
        Some(other) => Err(invalid(format!("{other} is not a ConsistencyLevel"))),
    }
}

pub(crate) fn destroy(
    state: &mut HostState,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let id = parameters.reference_point(HostView::new(state), "AffectedReferencePoint")?;
    state.destroy_reference_point(id).map(Outcome::Started)
}
