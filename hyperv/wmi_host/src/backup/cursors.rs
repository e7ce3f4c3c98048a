//! What each disk's point keeps so that the next backup can ask what changed.

use hyperv_host::{Finding, Severity};
use uuid::Uuid;
use wmi::{Instance, Value};

use super::frozen_disk::DiskMark;
use super::link::{IMAGE_SERVICE, Link};
use crate::cursor::{Cursor, TrackedDisk, VmMark};
use crate::facts::{DiskFacts, ReferencePointFacts, VmFacts, disks_of_settings};

/// Makes the cursors of the disks that were read: one for each, in order.
///
/// A reference point names disks by where they are attached (contract 2.2), and another disk may
/// be there by now, so what is attached there is looked at.
pub(super) fn cursors(
    link: &Link,
    point: &ReferencePointFacts,
    vm: &VmFacts,
    disks: &[DiskMark],
    findings: &mut Vec<Finding>,
) -> Vec<Option<String>> {
    let active = link.patiently(|| disks_of_settings(&*link.session, &vm.settings.path));
    let active = match active {
        Ok(active) => active,
        Err(error) => {
            let text = format!("which disks the reference point is about cannot be told: {error}");
            findings.push(no_cursor(&text));
            return vec![None; disks.len()];
        }
    };
    let cursor = |mark: &DiskMark| {
        let result = cursor_of(link, point, vm, mark, &active);
        if let Err(Some(why)) = &result {
            findings.push(no_cursor(why));
        }
        result.ok()
    };
    disks.iter().map(cursor).collect()
}

fn no_cursor(why: &str) -> Finding {
    let text = format!("{why}; the disk is read in full next time");
    Finding::new("VM-NO-REFERENCE-POINT", Severity::Warn, text)
}

/// Makes the cursor of a disk, or says why there is none; nothing where none was to be expected.
fn cursor_of(
    link: &Link,
    point: &ReferencePointFacts,
    vm: &VmFacts,
    mark: &DiskMark,
    active: &[DiskFacts],
) -> Result<String, Option<String>> {
    let path = &mark.frozen_path;
    let disk_id = mark.disk_id.filter(|_| mark.is_tracked).ok_or(None)?;
    let Some(tracking_id) = point.rct_id(&mark.instance_id) else {
        return Err(Some(format!(
            "the host gave no tracking id for the disk {path}"
        )));
    };
    let mut places = active.iter();
    let now = places.find(|disk| disk.instance_id.eq_ignore_ascii_case(&mark.instance_id));
    let is_same = now.is_some_and(|now| is_the_disk(link, now, mark, disk_id));
    if !is_same {
        return Err(Some(format!("another disk is attached where {path} was")));
    }
    let disk = TrackedDisk {
        tracking_id: tracking_id.to_owned(),
        disk_id,
        size_bytes: mark.size_bytes,
        leaf_path: path.clone(),
        base_path: mark.base_path.clone(),
    };
    Cursor::new(&point.instance_id, disk, VmMark::of(vm))
        .and_then(|cursor| cursor.to_text())
        .ok_or_else(|| {
            Some(format!(
                "the tracking id of the disk {path} is out of all bounds"
            ))
        })
}

/// Returns whether the disk that is attached now is the one that was frozen: by its file, which is
/// the frozen one or the one that grew on it, else by its own id, which the host tells.
fn is_the_disk(link: &Link, now: &DiskFacts, mark: &DiskMark, disk_id: Uuid) -> bool {
    let path = now.path.to_lowercase();
    let known = [Some(&mark.frozen_path), mark.grows.as_ref()];
    known
        .into_iter()
        .flatten()
        .any(|own| own.to_lowercase() == path)
        || disk_id_of(link, &now.path) == Some(disk_id)
}

/// Asks the host for the id of a virtual disk (contract 1.6, 2.7).
fn disk_id_of(link: &Link, path: &str) -> Option<Uuid> {
    let parameters = [("Path", Value::from(path))];
    let method = "GetVirtualHardDiskSettingData";
    let answer = link
        .call_patiently(IMAGE_SERVICE, method, &parameters)
        .ok()?;
    let text = answer.output.parameters.text("SettingData")?;
    let id = Instance::from_cim_xml(&text).ok()?.text("VirtualDiskId")?;
    Uuid::parse_str(id.trim_matches(['{', '}'])).ok()
}
