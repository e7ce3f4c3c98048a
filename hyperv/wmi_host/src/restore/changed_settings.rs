//! Settings that are sent back changed: text of an embedded instance (contract 0.4).

use hyperv_host::{HostError, HostErrorKind};
use wmi::{
    CimType, EmbeddedInstance, Instance, MethodError, ObjectPath, VIRTUALIZATION, Value, WmiError,
};

use super::planned_vm::resources_of;
use crate::backup::link::{Link, MANAGEMENT_SERVICE};
use crate::backup::refusal::{is_answer, method_failure};
use crate::host_failure::host_failure;

/// What of a resource's settings goes along whatever is changed: it says which resource is meant.
const KEPT: [(&str, CimType); 5] = [
    ("InstanceID", CimType::String),
    ("ResourceType", CimType::Uint16),
    ("ResourceSubType", CimType::String),
    ("Parent", CimType::String),
    ("AddressOnParent", CimType::String),
];

/// A change of one property.
pub(super) type Change<'a> = (&'a str, CimType, Value);

/// Writes a resource with some properties changed. What is not named stays as it is: the reference
/// wants the whole instance, and a part of it works in the field. Contract: 0.4 [V?]
pub(super) fn changed_resource(resource: &Instance, changes: Vec<Change<'_>>) -> String {
    let mut text = EmbeddedInstance::new(resource.class.as_str());
    for (name, cim_type) in KEPT {
        let is_changed = changes.iter().any(|(own, ..)| *own == name);
        if let Some(value) = resource.text(name).filter(|_| !is_changed) {
            text = text.with(name, cim_type, value);
        }
    }
    for (name, cim_type, value) in changes {
        text = text.with(name, cim_type, value);
    }
    text.to_xml()
}

/// Changes resources: `ModifyResourceSettings`. Asked again where the answer got lost: it comes to
/// the same.
pub(super) fn modify_resource(link: &Link, text: String) -> Result<(), MethodError> {
    let parameters = [("ResourceSettings", Value::from(vec![text]))];
    let method = "ModifyResourceSettings";
    link.call_patiently(MANAGEMENT_SERVICE, method, &parameters)?;
    Ok(())
}

/// Adds a resource: `AddResourceSettings`. Returns what `find` finds among the resources afterwards,
/// whatever was answered: hosts report failures of what they have done.
pub(super) fn add_resource<T>(
    link: &Link,
    settings: &ObjectPath,
    text: String,
    doing: &str,
    find: impl Fn(&[Instance]) -> Option<T>,
) -> Result<T, HostError> {
    let parameters = [
        ("AffectedConfiguration", Value::from(settings.clone())),
        ("ResourceSettings", Value::from(vec![text])),
    ];
    let added = link.call(MANAGEMENT_SERVICE, "AddResourceSettings", &parameters);
    let look = || Ok(find(&resources_of(link, settings)?));
    let found: Result<Option<T>, WmiError> = match &added {
        Err(error) if is_answer(error) => look(),
        _ => link.look_for(|_| look()),
    };
    let found = found.map_err(|error| host_failure(link.host(), doing, error))?;
    match (found, added) {
        (Some(found), _) => Ok(found),
        (None, Err(error)) => Err(method_failure(link.host(), doing, error)),
        (None, Ok(_)) => {
            let text = format!("{}: {doing}: it was done, and is not there", link.host());
            Err(HostError::new(HostErrorKind::Refused, text))
        }
    }
}

/// Removes a resource: `RemoveResourceSettings`. One that is gone already is removed.
pub(super) fn remove_resource(link: &Link, resource: &Instance) -> Result<(), MethodError> {
    let method = "RemoveResourceSettings";
    let path = resource.object_path(VIRTUALIZATION);
    let path = path.map_err(|source| unasked(method, source))?;
    let parameters = [("ResourceSettings", Value::from(vec![path.clone()]))];
    let removed = link.call_patiently(MANAGEMENT_SERVICE, method, &parameters);
    match removed {
        Ok(_) => Ok(()),
        Err(_) if is_gone(link, &path) => Ok(()),
        Err(error) => Err(error),
    }
}

fn is_gone(link: &Link, path: &ObjectPath) -> bool {
    let got = link.patiently(|| link.session.get(path));
    got.is_err_and(|error| error.kind() == wmi::WmiErrorKind::NotFound)
}

/// Changes settings of a VM, planned or not: `ModifySystemSettings`.
pub(super) fn modify_system(
    link: &Link,
    settings: &Instance,
    changes: Vec<Change<'_>>,
) -> Result<(), MethodError> {
    let method = "ModifySystemSettings";
    let id = settings.required_text("InstanceID");
    let id = id.map_err(|source| unasked(method, source))?;
    let mut text = EmbeddedInstance::new("Msvm_VirtualSystemSettingData");
    text = text.with("InstanceID", CimType::String, id);
    for (name, cim_type, value) in changes {
        text = text.with(name, cim_type, value);
    }
    let parameters = [("SystemSettings", Value::from(text.to_xml()))];
    link.call_patiently(MANAGEMENT_SERVICE, method, &parameters)?;
    Ok(())
}

/// Makes the error of a method that was not even called.
pub(super) fn unasked(method: &str, source: WmiError) -> MethodError {
    MethodError::Wmi {
        method: method.to_owned(),
        source,
    }
}

/// Writes a path as a property names another object: with the host in it. Over WS-Man paths come
/// without; open clients put the computer's name there. Contract: 1.3 [M]
pub(super) fn reference_text(path: &ObjectPath, computer: &str) -> String {
    if path.host().is_some() || computer.is_empty() {
        return path.to_string();
    }
    path.clone().on_host(computer).to_string()
}
