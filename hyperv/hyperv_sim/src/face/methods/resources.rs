//! `AddResourceSettings`, as far as a SCSI controller goes.

use wmi::Instance;

use super::super::view::HostView;
use super::parameters::Parameters;
use super::{INVALID_STATE, NOT_SUPPORTED, Outcome, invalid};
use crate::host_state::HostState;
use crate::{PowerState, SimError};

/// Most SCSI controllers of a VM.
const CONTROLLERS_MAX: usize = 4;

/// Adds SCSI controllers to a VM that is off; nothing else is supported.
pub(crate) fn add(state: &mut HostState, parameters: &Parameters<'_>) -> Result<Outcome, SimError> {
    let view = HostView::new(state);
    let vm = parameters.vm_of_settings(view, "AffectedConfiguration")?;
    let list = parameters.value("ResourceSettings").items();
    if list.is_empty() {
        return Err(invalid("ResourceSettings is missing"));
    }
    for text in list {
        let text = text.to_text().unwrap_or_default();
        let wanted = Instance::from_cim_xml(&text)
            .map_err(|error| invalid(format!("ResourceSettings: {error}")))?;
        let kind = wanted.text("ResourceSubType").unwrap_or_default();
        if kind != "Microsoft:Hyper-V:Synthetic SCSI Controller" {
            return Ok(Outcome::Refused(NOT_SUPPORTED));
        }
    }
    let own = state.vm(vm)?;
    if own.power != PowerState::Off {
        return Ok(Outcome::Refused(INVALID_STATE));
    }
    if own.scsi_controllers.len() + list.len() > CONTROLLERS_MAX {
        return Err(invalid("a VM has at most four SCSI controllers"));
    }
    for _ in list {
        let controller = state.new_guid();
        state.vm_mut(vm)?.scsi_controllers.push(controller);
    }
    state.write_configuration(vm)?;
    Ok(Outcome::Done(Instance::new("__PARAMETERS")))
}
