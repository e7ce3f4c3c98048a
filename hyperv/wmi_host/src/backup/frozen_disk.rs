//! The disks of a checkpoint, opened.

use std::sync::Arc;

use block_io::BlockDevice as _;
use disk_image::{DiskImage, HostPaths};
use hyperv_host::{
    BackupMode, BackupRequest, DiskChanges, DiskKind, DiskSource, Finding, FullReason, HostError,
    HostErrorKind, LeftOut, PreviousBackup, Severity, UnfreezableDisks,
};
use uuid::Uuid;

use super::changes::changed_since;
use super::freeze::Frozen;
use super::link::Link;
use crate::disk_files::open_on_host;
use crate::facts::{DiskFacts, HostState, disks_of_settings};
use crate::host_failure::host_failure;
use crate::plan::{DiskNow, TrackedSince, tracked_since};

/// The disks of a checkpoint.
pub(super) struct Opened {
    pub(super) disks: Vec<DiskSource>,
    /// What the end of the run needs to know of them.
    pub(super) marks: DiskMarks,
    pub(super) left_out: Vec<LeftOut>,
    /// The files that the VM writes to now.
    pub(super) grows: Vec<String>,
}

/// What the end of the run needs to know of the disks.
#[derive(Default)]
pub(super) struct DiskMarks {
    /// One for each disk that is read.
    pub(super) disks: Vec<DiskMark>,
    pub(super) findings: Vec<Finding>,
}

/// A frozen disk.
pub(super) struct DiskMark {
    /// Id of the medium in the VM's active settings.
    pub(super) instance_id: String,
    pub(super) disk_id: Option<Uuid>,
    pub(super) size_bytes: u64,
    /// The frozen file, as the host names it.
    pub(super) frozen_path: String,
    /// The file at the other end of the chain, as the host names it.
    pub(super) base_path: String,
    /// The file that the VM writes to now, as the host names it.
    pub(super) grows: Option<String>,
    /// The host can track it.
    pub(super) is_tracked: bool,
}

/// Opens the frozen disks that are to be read.
pub(super) fn open_disks(
    link: &Link,
    bytes: &Arc<dyn HostPaths>,
    frozen: &Frozen,
    state: &HostState,
    request: &BackupRequest,
    previous: Option<&PreviousBackup>,
    mut left_out: Vec<LeftOut>,
) -> Result<Opened, HostError> {
    let of_settings = |path| {
        link.patiently(|| disks_of_settings(&*link.session, path))
            .map_err(|error| host_failure(link.host(), "reading the frozen disks", error))
    };
    let in_snapshot = of_settings(&frozen.snapshot.path)?;
    let active = of_settings(&frozen.vm.settings.path)?;
    let mut opened = Opened {
        disks: Vec::new(),
        marks: DiskMarks::default(),
        left_out: Vec::new(),
        grows: active
            .iter()
            .filter(|disk| disk.is_freezable())
            .map(|disk| disk.path.clone())
            .collect(),
    };
    for disk in &frozen.vm.disks {
        let is_excluded = disk
            .slot
            .is_some_and(|slot| request.exclude.contains(&slot));
        if is_excluded || disk.kind != DiskKind::Virtual {
            continue;
        }
        let Some(own) = in_snapshot.iter().find(|own| own.place() == disk.place()) else {
            let finding = not_frozen(disk, request)?;
            opened.marks.findings.push(finding);
            left_out.push(LeftOut {
                slot: disk.slot,
                path: disk.path.clone(),
                reason: "not-frozen".to_owned(),
            });
            continue;
        };
        let written = active.iter().find(|now| now.place() == disk.place());
        still_frozen(own, &opened.grows)?;
        let image = open_on_host(&own.path, bytes).map_err(HostError::of_disk)?;
        let mark = DiskMark {
            instance_id: disk.instance_id.clone(),
            disk_id: image.disk_id(),
            size_bytes: image.size_bytes(),
            frozen_path: own.path.clone(),
            base_path: base_path(&own.path, &image, bytes),
            grows: written.map(|now| now.path.clone()),
            is_tracked: false,
        };
        let (changes, is_tracked) = changes(link, frozen, state, request, previous, disk, &mark);
        opened.disks.push(DiskSource::of_image(
            disk.number,
            disk.slot,
            own.path.clone(),
            image,
            changes,
        ));
        opened.marks.disks.push(DiskMark { is_tracked, ..mark });
    }
    opened.left_out = left_out;
    Ok(opened)
}

/// A disk that is not in the checkpoint is not in the point.
fn not_frozen(disk: &DiskFacts, request: &BackupRequest) -> Result<Finding, HostError> {
    let severity = match request.unfreezable {
        UnfreezableDisks::LeaveOut => Severity::Warn,
        UnfreezableDisks::Refuse => Severity::Block,
    };
    let text = format!(
        "the host did not freeze the disk {}: it is not in the point",
        disk.path
    );
    let finding = Finding::new("VM-DISK-NOT-FROZEN", severity, text)
        .cure("look at the event log Hyper-V-VMMS/Admin on the host");
    match severity {
        Severity::Block => Err(HostError::blocked(&finding)),
        _ => Ok(finding),
    }
}

/// A disk that the VM goes on writing to is not read, whatever the host says.
fn still_frozen(frozen: &DiskFacts, written: &[String]) -> Result<(), HostError> {
    let own = frozen.path.to_lowercase();
    if !written.iter().any(|path| path.to_lowercase() == own) {
        return Ok(());
    }
    let text = format!(
        "the checkpoint's disk {} is one that the VM writes to",
        frozen.path
    );
    Err(HostError::new(HostErrorKind::Refused, text)
        .hint("look at the event log Hyper-V-VMMS/Admin on the host"))
}

/// Returns what changed, and whether the host can track the disk at all.
fn changes(
    link: &Link,
    frozen: &Frozen,
    state: &HostState,
    request: &BackupRequest,
    previous: Option<&PreviousBackup>,
    disk: &DiskFacts,
    mark: &DiskMark,
) -> (DiskChanges, bool) {
    let now = DiskNow {
        facts: disk,
        disk_id: mark.disk_id,
        size_bytes: Some(mark.size_bytes),
        leaf_path: &mark.frozen_path,
        base_path: Some(&mark.base_path),
    };
    match tracked_since(&frozen.vm, state, now, request, previous) {
        Ok(TrackedSince { previous, cursor }) => {
            let (path, id) = (&mark.frozen_path, &cursor.tracking_id);
            let changes = match changed_since(link, path, id, mark.size_bytes) {
                Ok(ranges) => DiskChanges::Ranges { ranges, previous },
                Err(reason) => DiskChanges::Everything(reason),
            };
            (changes, true)
        }
        Err(reason) => {
            let never = matches!(
                reason,
                FullReason::NotTracked
                    | FullReason::OldDiskFormat
                    | FullReason::OldConfigurationVersion
                    | FullReason::MixedCluster
            );
            let is_tracked = request.mode == BackupMode::Tracked && !never;
            (DiskChanges::Everything(reason), is_tracked)
        }
    }
}

/// Returns the host's path of the chain's base: as its child names it, else beside the frozen
/// file, else as this machine sees it, which stays the same as well.
fn base_path(frozen_path: &str, image: &DiskImage, bytes: &Arc<dyn HostPaths>) -> String {
    let [.., child, base] = image.chain() else {
        return frozen_path.to_owned();
    };
    let is_base = |path: &&String| bytes.locate(path).as_deref() == Some(base.path.as_path());
    if let Some(named) = child.parent_paths.iter().find(is_base) {
        return named.clone();
    }
    let name = base.path.file_name().unwrap_or_default().to_string_lossy();
    let folder = frozen_path
        .rsplit_once('\\')
        .map_or("", |(folder, _)| folder);
    let beside = format!("{folder}\\{name}");
    if is_base(&&beside) {
        return beside;
    }
    base.path.display().to_string()
}
