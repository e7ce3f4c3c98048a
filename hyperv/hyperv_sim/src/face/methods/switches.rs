//! `Msvm_VirtualEthernetSwitchManagementService`: virtual switches are made and removed.

use uuid::Uuid;
use wmi::ObjectPath;

use super::super::object::Object;
use super::super::objects::find;
use super::super::view::HostView;
use super::parameters::Parameters;
use super::{Outcome, invalid};
use crate::host_state::HostState;
use crate::job_work::JobWork;
use crate::{HostPort, JobKind, SimError, VirtualSwitch};

/// `DefineSystem`: a switch with the ports that `ResourceSettings` describes. One to the host itself
/// makes it internal, one to a physical adapter external.
pub(crate) fn define(
    state: &mut HostState,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let view = HostView::new(state);
    let class = "Msvm_VirtualEthernetSwitchSettingData";
    let settings = parameters
        .embedded(view, "SystemSettings", class)?
        .ok_or_else(|| invalid("SystemSettings is missing"))?;
    let name = settings.text("ElementName");
    let mut switch = VirtualSwitch::private(name.ok_or_else(|| invalid("it has no name"))?);
    switch.notes = settings.texts("Notes").join("\n");
    for port in parameters.embedded_list(view, "ResourceSettings")? {
        let path = port.texts("HostResource").into_iter().next();
        let path = path.unwrap_or_default();
        let found = ObjectPath::parse(&path).and_then(|path| find(view, &path).ok());
        match found {
            Some((Object::Host, _)) => switch.host_port = Some(HostPort::default()),
            Some((Object::ExternalPort(_), own)) => switch.adapter = own.text("ElementName"),
            _ => return Err(invalid(format!("{path:?} is nothing that a port leads to"))),
        }
    }
    let work = JobWork::AddSwitch(switch);
    let job = state.start_job(Uuid::nil(), JobKind::ChangeSwitch, work)?;
    Ok(Outcome::Started(job))
}

/// `DestroySystem`
pub(crate) fn destroy(
    state: &mut HostState,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let Object::Switch(id) = parameters.object(HostView::new(state), "AffectedSystem")? else {
        return Err(invalid("AffectedSystem is not a virtual switch"));
    };
    let work = JobWork::RemoveSwitch(id);
    let job = state.start_job(Uuid::nil(), JobKind::ChangeSwitch, work)?;
    Ok(Outcome::Started(job))
}
