//! `ModifyGuestServiceSettings`: integration services switched on and off.

use wmi::Instance;

use super::super::object::{COMPONENTS, Object, component_settings_class};
use super::super::objects::find;
use super::super::view::HostView;
use super::parameters::Parameters;
use super::{Outcome, invalid};
use crate::host_state::HostState;
use crate::{Component, SimError};

/// Switches integration services on and off; `InstanceID` selects, and takes effect at once.
pub(crate) fn modify(
    state: &mut HostState,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let list = parameters.value("GuestServiceSettings").items();
    if list.is_empty() {
        return Err(invalid("GuestServiceSettings is missing"));
    }
    for text in list {
        let text = text.to_text().unwrap_or_default();
        let wanted = Instance::from_cim_xml(&text)
            .map_err(|error| invalid(format!("GuestServiceSettings: {error}")))?;
        change(state, &wanted)?;
    }
    Ok(Outcome::Done(Instance::new("__PARAMETERS")))
}

fn change(state: &mut HostState, wanted: &Instance) -> Result<(), SimError> {
    let id = wanted.text("InstanceID").unwrap_or_default();
    let kind = COMPONENTS.into_iter().find(|kind| {
        wanted
            .class
            .eq_ignore_ascii_case(component_settings_class(*kind))
    });
    let kind = kind.ok_or_else(|| invalid(format!("{} is no guest service", wanted.class)))?;
    let view = HostView::new(state);
    let path = view.instance_path(component_settings_class(kind), &id);
    let (object, _) = find(view, &path).map_err(|error| invalid(error.to_string()))?;
    let Object::ComponentSettings(vm, kind) = object else {
        return Err(invalid(format!(
            "{id} is not the settings of a guest service"
        )));
    };
    let enabled = match wanted.number::<u16>("EnabledState") {
        Some(2) => true,
        Some(3) => false,
        _ => return Err(invalid("EnabledState is neither 2 nor 3")),
    };
    let vm = state.vm_mut(vm)?;
    let own = vm.components.get(&kind).copied();
    let status = own.map_or(2, |own| own.status);
    vm.components.insert(kind, Component { enabled, status });
    Ok(())
}
