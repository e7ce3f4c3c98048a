//! Features of switch ports: `AddFeatureSettings`, `ModifyFeatureSettings` and
//! `RemoveFeatureSettings`, as far as VLANs go (contract 1.4).

use uuid::Uuid;
use wmi::Instance;

use super::super::object::{Object, SwitchEnd};
use super::super::objects::find;
use super::super::view::HostView;
use super::parameters::Parameters;
use super::{NOT_SUPPORTED, Outcome, invalid};
use crate::device_change::DeviceChange;
use crate::host_state::HostState;
use crate::{JobKind, SimError};

const VLAN: &str = "Msvm_EthernetSwitchPortVlanSettingData";

/// `AddFeatureSettings`, of a VM's connection or of the host's own port at a switch.
pub(crate) fn add(state: &mut HostState, parameters: &Parameters<'_>) -> Result<Outcome, SimError> {
    let view = HostView::new(state);
    let port = parameters.object(view, "AffectedConfiguration")?;
    let mut list = parameters.embedded_list(view, "FeatureSettings")?;
    let (Some(wanted), true) = (list.pop(), list.is_empty()) else {
        return Ok(Outcome::Refused(NOT_SUPPORTED));
    };
    if !wanted.class.eq_ignore_ascii_case(VLAN) {
        return Ok(Outcome::Refused(NOT_SUPPORTED));
    }
    set(state, &port, access_vlan(&wanted)?)
}

/// `ModifyFeatureSettings`
pub(crate) fn modify(
    state: &mut HostState,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let view = HostView::new(state);
    let mut list = parameters.embedded_list(view, "FeatureSettings")?;
    let (Some(wanted), true) = (list.pop(), list.is_empty()) else {
        return Ok(Outcome::Refused(NOT_SUPPORTED));
    };
    let id = wanted.text("InstanceID").unwrap_or_default();
    let path = view.instance_path(VLAN, &id);
    let (object, _) = find(view, &path).map_err(|error| invalid(error.to_string()))?;
    let port = port_of(&object).ok_or_else(|| invalid(format!("{id} cannot be changed")))?;
    set(state, &port, access_vlan(&wanted)?)
}

/// `RemoveFeatureSettings`
pub(crate) fn remove(
    state: &mut HostState,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let mut list = parameters.objects(HostView::new(state), "FeatureSettings")?;
    let (Some(object), true) = (list.pop(), list.is_empty()) else {
        return Ok(Outcome::Refused(NOT_SUPPORTED));
    };
    let port = port_of(&object).ok_or_else(|| invalid("FeatureSettings cannot be removed"))?;
    set(state, &port, None)
}

/// Returns the port that a feature is of.
fn port_of(feature: &Object) -> Option<Object> {
    match feature {
        Object::PortVlan(owner, number) => Some(Object::Connection(*owner, *number)),
        Object::HostPortVlan(switch) => Some(Object::SwitchPortSettings(*switch, SwitchEnd::Host)),
        _ => None,
    }
}

fn set(state: &mut HostState, port: &Object, vlan: Option<u16>) -> Result<Outcome, SimError> {
    let job = match port {
        Object::Connection(owner, number) => {
            let vm = HostView::new(state).vm(owner.vm);
            let device = vm.map(|vm| vm.port(*number).id);
            let device = device.ok_or_else(|| invalid("the machine is gone"))?;
            let change = DeviceChange::SetVlan { device, vlan };
            state.start_changes(owner.vm, JobKind::ModifyResources, vec![change])?
        }
        Object::SwitchPortSettings(switch, SwitchEnd::Host) => {
            let (switch, work) = (
                *switch,
                crate::job_work::JobWork::SetHostPort {
                    switch: *switch,
                    vlan,
                },
            );
            state
                .switch(switch)
                .ok_or_else(|| invalid("the switch is gone"))?;
            state.start_job(Uuid::nil(), JobKind::ChangeSwitch, work)?
        }
        _ => return Err(invalid("AffectedConfiguration is not a connection")),
    };
    Ok(Outcome::Started(job))
}

/// Reads the VLAN of a port in access mode; no mode is no VLAN.
fn access_vlan(wanted: &Instance) -> Result<Option<u16>, SimError> {
    match (
        wanted.number::<u32>("OperationMode"),
        wanted.number::<u16>("AccessVlanId"),
    ) {
        (Some(1), Some(vlan @ 1..=4094)) => Ok(Some(vlan)),
        (None | Some(0), None | Some(0)) => Ok(None),
        _ => Err(invalid("only ports in access mode have a VLAN here")),
    }
}
