//! Planned VMs: what an import makes first, and people do not see (contract 4.1).

use uuid::Uuid;
use wmi::{Completed, Instance, ObjectPath, VIRTUALIZATION, WmiError, WmiErrorKind, quote};

use crate::backup::link::Link;
use crate::facts::{host_guid, owner_of};
use crate::journal::JournalEntry;
use crate::residue::Found;

const CLASS: &str = "Msvm_PlannedComputerSystem";

/// A planned VM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlannedVm {
    /// Its GUID, which the VM keeps.
    pub(crate) id: Uuid,
    /// Its name.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) path: ObjectPath,
}

impl PlannedVm {
    fn of(instance: &Instance) -> Option<Self> {
        Some(Self {
            id: Uuid::parse_str(&instance.text("Name")?).ok()?,
            name: instance.text("ElementName").unwrap_or_default(),
            path: instance.object_path(VIRTUALIZATION).ok()?,
        })
    }
}

/// Lists the planned VMs of a host: one call.
pub(crate) fn planned_vms(link: &Link) -> Result<Vec<PlannedVm>, WmiError> {
    let wql = format!("SELECT * FROM {CLASS}");
    let found = link.patiently(|| link.session.query_all(VIRTUALIZATION, &wql));
    let found = match found {
        Err(error) if error.kind() == WmiErrorKind::NoClass => Vec::new(),
        other => other?,
    };
    Ok(found.iter().filter_map(PlannedVm::of).collect())
}

/// Returns the planned VM that a call says it has made; `None` where it does not say.
pub(super) fn named_by(link: &Link, made: &Completed) -> Result<Option<PlannedVm>, WmiError> {
    let named = made
        .output
        .parameters
        .value("ImportedSystem")
        .to_reference();
    let named = named.and_then(|path| Uuid::parse_str(path.key("Name")?).ok());
    if let Some(id) = named {
        let mut planned = planned_vms(link)?.into_iter();
        return Ok(planned.find(|own| own.id == id));
    }
    let Some(job) = &made.job_path else {
        return Ok(None);
    };
    let by_job = link.made_by(job, CLASS)?;
    Ok(by_job.iter().find_map(PlannedVm::of))
}

/// Finds the planned VM of a restore as it can be told from its entry.
///
/// One whose GUID is known is that one. Else it is new, and has the GUID that the definition keeps,
/// or is the only new one and has the definition's name. Contract: 4.1 [M]
pub(crate) fn find_planned(
    link: &Link,
    entry: &JournalEntry,
) -> Result<Found<PlannedVm>, WmiError> {
    let Some(restore) = entry.restore.as_ref().filter(|own| !own.is_direct) else {
        return Ok(Found::Nothing);
    };
    if restore.asked.is_none() {
        return Ok(Found::Nothing);
    }
    let planned = planned_vms(link)?;
    if let Some(id) = restore.made {
        let own = planned.into_iter().find(|own| own.id == id);
        return Ok(own.map_or(Found::Nothing, Found::Ours));
    }
    let is_new = |own: &PlannedVm| !restore.planned_before.contains(&own.id);
    let new: Vec<PlannedVm> = planned.into_iter().filter(is_new).collect();
    let expected = |own: &&PlannedVm| restore.expected == Some(own.id);
    if let Some(own) = new.iter().find(expected) {
        return Ok(Found::Ours(own.clone()));
    }
    Ok(match new.as_slice() {
        [] => Found::Nothing,
        [own] if own.name == entry.vm_name => Found::Ours(own.clone()),
        _ => Found::Undecided(new),
    })
}

/// What settings of a planned VM are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PlannedKind {
    /// Those that the VM will run with.
    Active,
    /// A checkpoint's.
    Checkpoint,
    /// Of a checkpoint that the definition lists, and whose own definition was not found.
    Missing,
}

/// Settings of a planned VM, or of a VM that was made.
#[derive(Debug, Clone)]
pub(super) struct PlannedSettings {
    /// The settings.
    pub(super) instance: Instance,
    /// Where they are.
    pub(super) path: ObjectPath,
    /// The GUID in their id: the VM's, or the checkpoint's own.
    pub(super) owner: Uuid,
    /// What they are.
    pub(super) kind: PlannedKind,
}

impl PlannedSettings {
    /// Reads settings; `None` where they are of no kind that is known.
    fn of(instance: Instance) -> Result<Option<Self>, WmiError> {
        let id = instance.required_text("InstanceID")?;
        let kind = kind_of(&instance.text("VirtualSystemType").unwrap_or_default());
        let (Some(owner), Some(kind)) = (owner_of(&id), kind) else {
            return Ok(None);
        };
        Ok(Some(Self {
            path: instance.object_path(VIRTUALIZATION)?,
            instance,
            owner,
            kind,
        }))
    }
}

/// Tells settings of planned VMs apart (contract 1.2), and those of a VM that was just made.
fn kind_of(system_type: &str) -> Option<PlannedKind> {
    let kind = system_type.strip_prefix("Microsoft:Hyper-V:")?;
    match kind {
        "System:Planned" | "System:Realized" => Some(PlannedKind::Active),
        "Snapshot:Missing" => Some(PlannedKind::Missing),
        _ if kind.starts_with("Snapshot:") => Some(PlannedKind::Checkpoint),
        _ => None,
    }
}

/// Reads all settings of a VM, planned or not: one call. Contract: 4.1 [M]
pub(super) fn settings_of(link: &Link, vm: Uuid) -> Result<Vec<PlannedSettings>, WmiError> {
    let guid = quote(&host_guid(vm));
    let wql = format!(
        "SELECT * FROM Msvm_VirtualSystemSettingData WHERE VirtualSystemIdentifier = {guid}"
    );
    let found = link.patiently(|| link.session.query_all(VIRTUALIZATION, &wql))?;
    let mut settings = Vec::new();
    for instance in found {
        settings.extend(PlannedSettings::of(instance)?);
    }
    Ok(settings)
}

/// Returns the settings that a VM runs with, or will.
pub(super) fn active_settings(link: &Link, vm: Uuid) -> Result<PlannedSettings, WmiError> {
    let settings = settings_of(link, vm)?.into_iter();
    let mut active = settings.filter(|own| own.kind == PlannedKind::Active && own.owner == vm);
    active.next().ok_or_else(|| {
        let what = format!("the host shows no settings of the VM {vm}");
        WmiError::new(WmiErrorKind::NotFound, what)
    })
}

/// Reads the hardware that settings are made of: one call.
pub(super) fn resources_of(link: &Link, settings: &ObjectPath) -> Result<Vec<Instance>, WmiError> {
    link.patiently(|| {
        link.session.associators(
            settings,
            "CIM_ResourceAllocationSettingData",
            Some("Msvm_VirtualSystemSettingDataComponent"),
        )
    })
}
