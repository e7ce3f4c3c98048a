//! `Msvm_VirtualSystemSnapshotService` (contract 2.1).

use wmi::Instance;

use super::super::view::HostView;
use super::parameters::Parameters;
use super::{NOT_SUPPORTED, Outcome, invalid};
use crate::host_state::HostState;
use crate::job_work::JobWork;
use crate::{Consistency, JobKind, SimError, SnapshotKind, SnapshotSettings, Vm};

/// `SnapshotType` of a person's checkpoint.
const FULL: u16 = 2;
/// `SnapshotType` of disks alone.
const DISK: u16 = 3;
/// `SnapshotType` of a backup's checkpoint: not documented, verified in Microsoft's sample.
const RECOVERY: u16 = 32768;

pub(crate) fn create(
    state: &mut HostState,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let view = HostView::new(state);
    let id = parameters.vm(view, "AffectedSystem")?;
    let has_recovery = view.profile().has_recovery_checkpoints();
    let kind = match parameters.required_number::<u16>("SnapshotType")? {
        FULL => user_kind(state.vm(id)?),
        RECOVERY if has_recovery => Some(SnapshotKind::Recovery),
        DISK => return Ok(Outcome::Refused(NOT_SUPPORTED)),
        other => return Err(invalid(format!("{other} is not a SnapshotType"))),
    };
    let Some(kind) = kind else {
        return Ok(Outcome::Refused(NOT_SUPPORTED));
    };
    // 2012 R2 has no such class, and takes no settings.
    let class = "Msvm_VirtualSystemSnapshotSettingData";
    let settings = if has_recovery {
        parameters.embedded(view, "SnapshotSettings", class)?
    } else {
        None
    };
    let settings = read_settings(kind, settings.as_ref())?;
    state.create_snapshot(id, &settings).map(Outcome::Started)
}

/// Returns what a person's checkpoint of a VM is; `None`: checkpoints are switched off
/// (`UserSnapshotType`, contract 1.2).
fn user_kind(vm: &Vm) -> Option<SnapshotKind> {
    match vm.user_snapshot_type {
        2 => None,
        5 => Some(SnapshotKind::Standard),
        _ => Some(SnapshotKind::Production),
    }
}

fn read_settings(
    kind: SnapshotKind,
    settings: Option<&Instance>,
) -> Result<SnapshotSettings, SimError> {
    let production = kind == SnapshotKind::Production;
    let consistency = if production {
        Consistency::Application
    } else {
        Consistency::Crash
    };
    let mut read = SnapshotSettings {
        kind,
        consistency,
        ignore_other_disks: kind != SnapshotKind::Recovery,
        copy_backup: false,
        name: None,
    };
    let Some(settings) = settings else {
        return Ok(read);
    };
    read.consistency = match number(settings, "ConsistencyLevel")? {
        // Unknown: what is usual for this kind.
        None | Some(0) => read.consistency,
        Some(1) => Consistency::Application,
        Some(2) => Consistency::Crash,
        Some(other) => return Err(invalid(format!("{other} is not a ConsistencyLevel"))),
    };
    if settings.has("IgnoreNonSnapshottableDisks") {
        read.ignore_other_disks = settings.flag("IgnoreNonSnapshottableDisks");
    }
    read.copy_backup = match number(settings, "GuestBackupType")? {
        None | Some(0 | 1) => false,
        Some(2) => true,
        Some(other) => return Err(invalid(format!("{other} is not a GuestBackupType"))),
    };
    read.name = settings.text("ElementName");
    Ok(read)
}

/// Returns a number of an embedded instance; text that is none is refused.
fn number(settings: &Instance, name: &str) -> Result<Option<i128>, SimError> {
    match settings.text(name) {
        None => Ok(None),
        Some(text) => match text.trim().parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(invalid(format!("{name} is {text}, which is no number"))),
        },
    }
}

pub(crate) fn destroy(
    state: &mut HostState,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let id = parameters.snapshot(HostView::new(state), "AffectedSnapshot")?;
    if let Some(planned) = state.planned_with_snapshot(id) {
        let (vm, work) = (planned.vm.id, JobWork::DropPlannedSnapshot(id));
        let job = state.start_job(vm, JobKind::DeleteSnapshot, work)?;
        return Ok(Outcome::Started(job));
    }
    state.destroy_snapshot(id, false).map(Outcome::Started)
}

pub(crate) fn destroy_tree(
    state: &mut HostState,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let id = parameters.snapshot(HostView::new(state), "SnapshotSettingData")?;
    state.destroy_snapshot(id, true).map(Outcome::Started)
}

pub(crate) fn apply(
    state: &mut HostState,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let id = parameters.snapshot(HostView::new(state), "Snapshot")?;
    state.apply_snapshot(id).map(Outcome::Started)
}
