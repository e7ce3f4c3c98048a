//! Recovery checkpoints: made, found, named, removed (contract 2.1).

use hyperv_host::GuestBackup;
use wmi::{CimType, Completed, EmbeddedInstance, MethodError, ObjectPath, Value, WmiError};

use super::link::{Link, MANAGEMENT_SERVICE, SNAPSHOT_SERVICE};
use crate::facts::{SnapshotFacts, SnapshotKind, VmFacts};

/// `SnapshotType` of a recovery checkpoint: vendor-specific, and in no reference (contract 2.1).
const RECOVERY: u16 = 32768;
/// What the names of our checkpoints begin with.
const MARKER: &str = "Lifeboat ";

/// What a checkpoint is to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CheckpointSettings {
    /// The guest is asked to take part.
    pub(crate) ask_guest: bool,
    /// What its applications are told; `None` where the host cannot tell them.
    pub(crate) guest_backup: Option<GuestBackup>,
}

impl CheckpointSettings {
    /// Writes the parameter. What cannot be frozen is left out: whether that will do was decided
    /// before.
    fn to_xml(self) -> String {
        let level: u8 = if self.ask_guest { 1 } else { 2 };
        let settings = EmbeddedInstance::new("Msvm_VirtualSystemSnapshotSettingData")
            .with("ConsistencyLevel", CimType::Uint8, level)
            .with("IgnoreNonSnapshottableDisks", CimType::Boolean, true);
        let settings = match self.guest_backup {
            None => settings,
            Some(kind) => {
                let number: u8 = match kind {
                    GuestBackup::Full => 1,
                    GuestBackup::Copy => 2,
                };
                settings.with("GuestBackupType", CimType::Uint8, number)
            }
        };
        settings.to_xml()
    }
}

/// Asks for a recovery checkpoint.
pub(crate) fn create(
    link: &Link,
    vm: &ObjectPath,
    settings: CheckpointSettings,
) -> Result<Completed, MethodError> {
    let parameters = [
        ("AffectedSystem", Value::from(vm.clone())),
        ("SnapshotSettings", Value::from(settings.to_xml())),
        ("SnapshotType", Value::from(RECOVERY)),
    ];
    link.call(SNAPSHOT_SERVICE, "CreateSnapshot", &parameters)
}

/// Finds the checkpoint that a call has made: as the call itself names it, as its job does, or as
/// the only one that was not there before. It may become visible a moment after the job's end
/// (contract 0.3). `None`: it cannot be found.
pub(crate) fn find_made(
    link: &Link,
    made: &Completed,
    vm: &VmFacts,
) -> Result<Option<SnapshotFacts>, WmiError> {
    link.look_for(|_| {
        let named = made.output.parameters.value("ResultingSnapshot");
        if let Some(path) = named.to_reference()
            && let Some(found) = get(link, &path)?
        {
            return Ok(Some(found));
        }
        if let Some(job) = &made.job_path
            && let Some(found) = made_by_job(link, job)?
        {
            return Ok(Some(found));
        }
        let now = link.patiently(|| VmFacts::read(&*link.session, vm.id))?;
        Ok(now.and_then(|now| only_new(&now, vm)))
    })
}

fn get(link: &Link, path: &ObjectPath) -> Result<Option<SnapshotFacts>, WmiError> {
    match link.patiently(|| link.session.get(path)) {
        Ok(instance) => Ok(recovery(SnapshotFacts::of(&instance)?)),
        Err(error) if error.kind() == wmi::WmiErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the recovery checkpoint that is associated with a job, also with one that failed.
pub(crate) fn made_by_job(
    link: &Link,
    job: &ObjectPath,
) -> Result<Option<SnapshotFacts>, WmiError> {
    for instance in link.made_by(job, "Msvm_VirtualSystemSettingData")? {
        if let Some(found) = recovery(SnapshotFacts::of(&instance)?) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn recovery(snapshot: Option<SnapshotFacts>) -> Option<SnapshotFacts> {
    snapshot.filter(|snapshot| snapshot.kind == SnapshotKind::Recovery)
}

fn only_new(now: &VmFacts, before: &VmFacts) -> Option<SnapshotFacts> {
    let is_new = |own: &&SnapshotFacts| !before.snapshots.iter().any(|old| old.id == own.id);
    let mut new = now.recovery_snapshots().filter(is_new);
    let only = new.next()?;
    new.next().is_none().then(|| only.clone())
}

/// Gives a checkpoint of ours a name that says so. The run goes on without one: its journal knows
/// the checkpoint too.
pub(crate) fn name_it(link: &Link, snapshot: &SnapshotFacts, run: &str) -> Result<(), MethodError> {
    // The id selects what is modified, and what is not named stays (contract 0.4).
    let settings = EmbeddedInstance::new("Msvm_VirtualSystemSettingData")
        .with(
            "InstanceID",
            CimType::String,
            snapshot.settings.instance_id.as_str(),
        )
        .with("ElementName", CimType::String, marked_name(run));
    let parameters = [("SystemSettings", Value::from(settings.to_xml()))];
    link.call(MANAGEMENT_SERVICE, "ModifySystemSettings", &parameters)?;
    Ok(())
}

/// Returns the name of a run's checkpoint.
pub(crate) fn marked_name(run: &str) -> String {
    let printable = run.chars().filter(|c| !c.is_control()).take(64);
    format!("{MARKER}{}", printable.collect::<String>())
}

/// Returns whether a checkpoint's name is one that we give.
pub(crate) fn is_marked(name: &str) -> bool {
    name.starts_with(MARKER)
}

/// Returns whether a checkpoint's name is the one that a host gives by itself: the VM's name and
/// the time. Contract: 2.1 [M]
pub(crate) fn is_default_name(name: &str, vm_name: &str) -> bool {
    name.is_empty() || name.starts_with(vm_name)
}

/// Removes a checkpoint; its files are merged later. Whether a failure means that it is still there
/// has to be looked at.
///
/// One field report has `DestroySnapshotTree` failing for recovery checkpoints, and several have
/// this one working. Contract: 2.1 [V?]
pub(crate) fn destroy(link: &Link, snapshot: &ObjectPath) -> Result<(), MethodError> {
    let parameters = [("AffectedSnapshot", Value::from(snapshot.clone()))];
    link.call_patiently(SNAPSHOT_SERVICE, "DestroySnapshot", &parameters)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guest_backup_type_is_only_told_to_hosts_that_have_it() {
        let mut settings = CheckpointSettings {
            ask_guest: true,
            guest_backup: None,
        };
        assert!(!settings.to_xml().contains("GuestBackupType"));
        settings.guest_backup = Some(GuestBackup::Copy);
        let xml = settings.to_xml();
        let read = wmi::Instance::from_cim_xml(&xml).unwrap();
        assert_eq!(read.number("GuestBackupType"), Some(2_u8));
        assert_eq!(read.number("ConsistencyLevel"), Some(1_u8));
        assert!(read.flag("IgnoreNonSnapshottableDisks"));
    }

    #[test]
    fn our_names_are_told_from_a_host_s_own() {
        assert!(is_marked(&marked_name("2026-11-21T04:00\n<x>")));
        assert!(!is_marked("web - (11/21/2026 - 4:00:00 AM)"));
        assert!(is_default_name("web - (11/21/2026 - 4:00:00 AM)", "web"));
        assert!(!is_default_name("Veeam Recovery Checkpoint", "web"));
    }
}
