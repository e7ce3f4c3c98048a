//! The disks of settings, each where it was put.

use hyperv_host::{DiskKind, Finding, HostError, HostErrorKind, PlacedDisk};
use wmi::{CimType, Instance, MethodError, Value};

use super::attach::{Attaching, attach, slot_text};
use super::changed_settings::{changed_resource, modify_resource, remove_resource};
use super::findings;
use super::planned_vm::{PlannedKind, PlannedSettings, resources_of};
use crate::backup::link::Link;
use crate::backup::refusal::{is_answer, method_failure};
use crate::facts::{DiskFacts, disks, parent_of};
use crate::host_failure::host_failure;

const DOING: &str = "setting the paths of the disks";

/// Settings whose disks are to be placed.
pub(super) struct Placing<'a> {
    pub(super) link: &'a Link,
    pub(super) computer: &'a str,
    pub(super) settings: &'a PlannedSettings,
    /// Those of the settings.
    pub(super) disks: Vec<&'a PlacedDisk>,
}

/// Sets the path of each disk, one at a time, takes those out that are not in place, and the images
/// of DVDs that this host does not have.
///
/// Whether a planned VM lets go of a disk is told in both ways; one that it keeps is told of, and
/// its slot then names a file that is not there. Contract: 4.1 [V?]
pub(super) fn place_disks(placing: &Placing<'_>) -> Result<Vec<Finding>, HostError> {
    let link = placing.link;
    let failed = |error: MethodError| method_failure(link.host(), DOING, error);
    let resources = resources_of(link, &placing.settings.path);
    let resources = resources.map_err(|error| host_failure(link.host(), DOING, error))?;
    let all: Vec<&Instance> = resources.iter().collect();
    let mut findings = Vec::new();
    let mut placed = Vec::new();
    for disk in disks(&all) {
        let resource = resource_of(&disk, &all);
        let mut wanted = placing.disks.iter();
        let wanted = wanted.find(|own| Some(own.slot) == disk.slot);
        match (wanted, resource) {
            (Some(wanted), Some(medium)) if disk.kind != DiskKind::PassThrough => {
                placed.push(wanted.slot);
                point_to(link, medium, &wanted.path).map_err(failed)?;
            }
            (_, Some(resource)) => match take_out(link, resource, &all) {
                Ok(()) => {}
                Err(error) if is_answer(&error) => {
                    findings.push(findings::disk_stays(&disk, &error));
                }
                Err(error) => return Err(failed(error)),
            },
            (_, None) => {}
        }
    }
    for medium in all.iter().filter(|own| is_dvd(own)) {
        findings.extend(take_dvd_out(link, medium)?);
    }
    let mut missing = placing.disks.iter();
    let missing = missing.by_ref().filter(|own| !placed.contains(&own.slot));
    for disk in missing {
        if placing.settings.kind != PlannedKind::Active {
            let name = placing
                .settings
                .instance
                .text("ElementName")
                .unwrap_or_default();
            let place = slot_text(disk.slot);
            let text = format!(
                "{}: the checkpoint {name} has no disk at {place}",
                link.host()
            );
            return Err(HostError::new(HostErrorKind::Refused, text)
                .hint("restore the VM without checkpoints"));
        }
        let attaching = Attaching {
            link,
            computer: placing.computer,
            settings: &placing.settings.path,
        };
        attach(&attaching, Some(disk.slot), &disk.path)?;
    }
    Ok(findings)
}

fn resource_of<'a>(disk: &DiskFacts, resources: &[&'a Instance]) -> Option<&'a Instance> {
    let is_own = |own: &&Instance| {
        let id = own.text("InstanceID").unwrap_or_default();
        id.eq_ignore_ascii_case(&disk.instance_id)
    };
    resources.iter().copied().find(is_own)
}

/// Lets a medium's settings name another file.
fn point_to(link: &Link, medium: &Instance, path: &str) -> Result<(), MethodError> {
    if medium.texts("HostResource") == [path] {
        return Ok(());
    }
    let file = ("HostResource", CimType::String, Value::from(vec![path]));
    modify_resource(link, changed_resource(medium, vec![file]))
}

/// Takes a disk out: what is in the drive, then the drive. Of a physical disk the drive is all.
pub(super) fn take_out(
    link: &Link,
    disk: &Instance,
    resources: &[&Instance],
) -> Result<(), MethodError> {
    let drive = parent_of(disk, resources).filter(|own| own.number("ResourceType") == Some(17_u16));
    remove_resource(link, disk)?;
    drive.map_or(Ok(()), |drive| remove_resource(link, drive))
}

fn is_dvd(resource: &Instance) -> bool {
    resource.number("ResourceType") == Some(31_u16)
        && resource.text("ResourceSubType").as_deref()
            == Some("Microsoft:Hyper-V:Virtual CD/DVD Disk")
}

/// Empties a DVD drive whose image is not on this host: the VM would not start. Where this machine
/// cannot see the host's files nothing is known of it.
fn take_dvd_out(link: &Link, medium: &Instance) -> Result<Option<Finding>, HostError> {
    let path = medium.texts("HostResource").into_iter().next();
    let path = path.unwrap_or_default();
    let is_missing = link.bytes.as_ref().is_some_and(|bytes| {
        // Whether a drive that this machine does not see has it is not known.
        bytes.place(&path).is_some() && bytes.locate(&path).is_none()
    });
    if path.is_empty() || !is_missing {
        return Ok(None);
    }
    match remove_resource(link, medium) {
        Ok(()) => Ok(Some(findings::dvd_taken_out(&path))),
        Err(error) if is_answer(&error) => Ok(Some(findings::dvd_stays(&path, &error))),
        Err(error) => Err(method_failure(link.host(), DOING, error)),
    }
}
