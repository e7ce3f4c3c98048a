//! Reference points: made of a recovery checkpoint, found, removed (contract 2.1, 2.2).

use wmi::{Completed, MethodError, ObjectPath, Value, WmiError};

use super::link::{Link, REFERENCE_POINT_SERVICE, SNAPSHOT_SERVICE};
use crate::facts::{ReferencePointFacts, VmFacts};
use crate::journal::Before;

/// Turns a recovery checkpoint into a reference point. The checkpoint is gone then, and its files
/// are merged later.
pub(crate) fn convert(link: &Link, snapshot: &ObjectPath) -> Result<Completed, MethodError> {
    // Settings are optional: field code leaves them out (contract 2.1).
    let parameters = [("AffectedSnapshot", Value::from(snapshot.clone()))];
    link.call(SNAPSHOT_SERVICE, "ConvertToReferencePoint", &parameters)
}

/// Finds the reference point that a call has made, as [`super::checkpoint::find_made`] does.
pub(crate) fn find_made(
    link: &Link,
    made: &Completed,
    vm: uuid::Uuid,
    before: &Before,
) -> Result<Option<ReferencePointFacts>, WmiError> {
    link.look_for(|left| {
        if let Some(job) = &made.job_path
            && let Some(found) = made_by_job(link, job)?
        {
            return Ok(Some(found));
        }
        let Some(now) = link.patiently(|| VmFacts::read(&*link.session, vm))? else {
            return Ok(None);
        };
        let named = made.output.parameters.value("ResultingReferencePoint");
        let named = named.to_reference();
        let named = named.and_then(|path| path.key("InstanceID").map(str::to_owned));
        let found = match &named {
            Some(id) => now.reference_point(id),
            // Another's may be seen before ours: only what stays the only one is taken for it.
            None if left < 2 => only_new(&now, before),
            None => None,
        };
        Ok(found.cloned())
    })
}

/// Returns the reference point that is associated with a job, also with one that failed.
pub(crate) fn made_by_job(
    link: &Link,
    job: &ObjectPath,
) -> Result<Option<ReferencePointFacts>, WmiError> {
    for instance in link.made_by(job, "Msvm_VirtualSystemReferencePoint")? {
        if let Some(found) = ReferencePointFacts::of(&instance)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Returns the only reference point that was not there before.
pub(crate) fn only_new<'a>(now: &'a VmFacts, before: &Before) -> Option<&'a ReferencePointFacts> {
    let points = now.reference_points.iter();
    let mut new = points.filter(|point| !before.has_reference_point(&point.instance_id));
    let only = new.next()?;
    new.next().is_none().then_some(only)
}

/// Removes a reference point. Whether a failure means that it is still there has to be looked at.
pub(crate) fn destroy(link: &Link, point: &ObjectPath) -> Result<(), MethodError> {
    let parameters = [("AffectedReferencePoint", Value::from(point.clone()))];
    let method = "DestroyReferencePoint";
    link.call_patiently(REFERENCE_POINT_SERVICE, method, &parameters)?;
    Ok(())
}
