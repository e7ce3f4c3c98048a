//! Whether what changed of a disk can be asked for, or why all of it is read.

use std::collections::HashSet;

use hyperv_host::{BackupMode, BackupRequest, FullReason, PreviousBackup, PreviousDisk};
use uuid::Uuid;

use crate::cursor::Cursor;
use crate::facts::{ConfigurationVersion, DiskFacts, HostState, SnapshotKind, VmFacts};

/// A disk as it is now. What is not known yet is not held against it; the run looks again when
/// the VM is frozen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DiskNow<'a> {
    /// What the host says of it.
    pub(crate) facts: &'a DiskFacts,
    /// The virtual disk's own id.
    pub(crate) disk_id: Option<Uuid>,
    /// Size of the virtual disk in bytes.
    pub(crate) size_bytes: Option<u64>,
    /// The frozen file, or the leaf before there is one, as the host names it.
    pub(crate) leaf_path: &'a str,
    /// The file at the other end of the chain, as the host names it.
    pub(crate) base_path: Option<&'a str>,
}

/// What the changes of a disk are counted from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrackedSince {
    /// Number of the disk in the last point.
    pub(crate) previous: u32,
    /// What that point keeps of it.
    pub(crate) cursor: Cursor,
}

/// Returns what the changes of a disk can be counted from, or why all of it is read.
///
/// The host has the last word: it may not know the tracking id any more. Everything that the host
/// would answer with ranges, and wrongly, has to be told here.
pub(crate) fn tracked_since(
    vm: &VmFacts,
    host: &HostState,
    disk: DiskNow<'_>,
    request: &BackupRequest,
    previous: Option<&PreviousBackup>,
) -> Result<TrackedSince, FullReason> {
    never_tracked(vm, host, disk.facts, request)?;
    let previous = previous.ok_or(FullReason::FirstBackup)?;
    let before = disk_before(disk, previous)?;
    if disk
        .size_bytes
        .is_some_and(|size| size != before.size_bytes)
    {
        return Err(FullReason::DiskResized);
    }
    let text = before.cursor.as_deref();
    let text = text.ok_or(FullReason::NoReferencePoint)?;
    let cursor = Cursor::read(text).ok_or(FullReason::IdUnknown)?;
    if disk
        .size_bytes
        .is_some_and(|size| size != cursor.size_bytes)
    {
        return Err(FullReason::DiskResized);
    }
    if disk.disk_id.is_some_and(|id| id != cursor.disk_id) {
        return Err(FullReason::DiskReplaced);
    }
    if cursor.vm.id != vm.id || cursor.vm.created != vm.settings.created {
        return Err(FullReason::VmRestored);
    }
    storage_moved(disk, &cursor)?;
    checkpoint_applied(vm, disk, &cursor)?;
    let point = vm
        .reference_point(&cursor.reference_point)
        .ok_or(FullReason::ReferencePointGone)?;
    if !point
        .disks
        .iter()
        .any(|disk| disk.rct_id == cursor.tracking_id)
    {
        return Err(FullReason::IdUnknown);
    }
    Ok(TrackedSince {
        previous: before.number,
        cursor,
    })
}

/// What keeps a disk from being tracked at all.
fn never_tracked(
    vm: &VmFacts,
    host: &HostState,
    disk: &DiskFacts,
    request: &BackupRequest,
) -> Result<(), FullReason> {
    if request.mode != BackupMode::Tracked {
        return Err(FullReason::NotTracked);
    }
    if vm.settings.version < ConfigurationVersion::TRACKED {
        return Err(FullReason::OldConfigurationVersion);
    }
    if !disk.is_vhdx() {
        return Err(FullReason::OldDiskFormat);
    }
    let mixed = host
        .cluster
        .as_ref()
        .is_some_and(|cluster| cluster.is_mixed());
    if vm.clustered && mixed {
        return Err(FullReason::MixedCluster);
    }
    Ok(())
}

/// Finds the disk in the last point: by its own id, and by its place where that is not known.
fn disk_before<'a>(
    disk: DiskNow<'_>,
    previous: &'a PreviousBackup,
) -> Result<&'a PreviousDisk, FullReason> {
    let id_of = |before: &PreviousDisk| Uuid::parse_str(before.disk_id.as_deref()?).ok();
    let same = |before: &&PreviousDisk| disk.disk_id.is_some() && id_of(before) == disk.disk_id;
    if let Some(found) = previous.disks.iter().find(same) {
        return Ok(found);
    }
    let in_place = previous
        .disks
        .iter()
        .find(|before| disk.facts.slot.is_some() && before.slot == disk.facts.slot);
    let before = in_place.ok_or(FullReason::NewDisk)?;
    if disk.disk_id.is_some() && id_of(before).is_some() {
        return Err(FullReason::DiskReplaced);
    }
    Ok(before)
}

/// The base stays where it is as long as nobody moves the disk.
fn storage_moved(disk: DiskNow<'_>, cursor: &Cursor) -> Result<(), FullReason> {
    let same_path = |one: &str, other: &str| one.to_lowercase() == other.to_lowercase();
    let base_moved = disk
        .base_path
        .is_some_and(|path| !same_path(path, &cursor.base_path));
    if base_moved || !same_path(folder_of(disk.leaf_path), folder_of(&cursor.leaf_path)) {
        return Err(FullReason::StorageMigrated);
    }
    Ok(())
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once(['\\', '/'])
        .map_or("", |(folder, _)| folder)
}

/// Tells that a checkpoint of people was applied since: the host may go on counting from an id
/// that belongs to another branch. Contract: 2.2 [M]
///
/// * Another checkpoint is the last applied one.
/// * The checkpoint that the state derived from is gone, or the state derives from it no longer.
/// * It derives from the same one, but the file that was written to is not there any more: the
///   same checkpoint was applied again.
fn checkpoint_applied(vm: &VmFacts, disk: DiskNow<'_>, cursor: &Cursor) -> Result<(), FullReason> {
    let applied = vm.last_applied.is_some() && vm.last_applied != cursor.vm.last_applied_snapshot;
    let line = ancestors(vm);
    let known = |id: &str| {
        let mut snapshots = vm.snapshots.iter();
        snapshots.any(|own| own.settings.instance_id.eq_ignore_ascii_case(id))
    };
    let before = cursor.vm.parent_snapshot.as_deref();
    // One that is gone may have been applied before: nothing tells any more.
    let left = before.is_some_and(|id| !known(id) || !line.contains(&id.to_ascii_lowercase()));
    let same_parent = match (before, line.first) {
        (Some(before), Some(now)) => before.eq_ignore_ascii_case(now),
        (None, None) => true,
        _ => false,
    };
    let other_leaf = disk.leaf_path.to_lowercase() != cursor.leaf_path.to_lowercase();
    // Without checkpoints there is none that could be applied; a merge explains the other name.
    let again = same_parent && line.first.is_some() && other_leaf;
    if applied || left || again {
        return Err(FullReason::CheckpointApplied);
    }
    Ok(())
}

/// The checkpoints that a VM's state derives from, those of backups left out.
struct Line<'a> {
    /// The nearest.
    first: Option<&'a str>,
    /// All, in lower case.
    all: HashSet<String>,
}

impl Line<'_> {
    fn contains(&self, id: &str) -> bool {
        self.all.contains(id)
    }
}

fn ancestors(vm: &VmFacts) -> Line<'_> {
    let mut line = Line {
        first: None,
        all: HashSet::new(),
    };
    let mut at = vm.settings.parent.as_deref();
    while let Some(id) = at {
        // What refers to itself ends here.
        if !line.all.insert(id.to_ascii_lowercase()) {
            break;
        }
        let mut snapshots = vm.snapshots.iter();
        let snapshot = snapshots.find(|own| own.settings.instance_id.eq_ignore_ascii_case(id));
        let of_backup = snapshot.is_some_and(|own| own.kind == SnapshotKind::Recovery);
        if line.first.is_none() && !of_backup {
            line.first = Some(id);
        }
        at = snapshot.and_then(|own| own.parent.as_deref());
    }
    line
}
