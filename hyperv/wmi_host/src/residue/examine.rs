//! What a journal entry means for a VM as it is now.

use jiff::SignedDuration;

use crate::backup::checkpoint::{is_default_name, is_marked, marked_name};
use crate::facts::{ReferencePointFacts, SnapshotFacts, VmFacts, VmOperation};
use crate::journal::JournalEntry;

/// The host's clock and ours may differ by this much.
const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// A checkpoint that was asked for is made within this time, or not at all.
const MAKING: SignedDuration = SignedDuration::from_mins(30);

/// What was found of something that a run may have made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found<T> {
    /// Nothing.
    Nothing,
    /// This, and it is ours.
    Ours(T),
    /// These, and they may be another program's.
    Undecided(Vec<T>),
}

/// Finds the checkpoint of a run.
///
/// A run that knew its checkpoint wrote its id down; one that could still name it left its mark.
/// One that died in between is told from what was there before, and only where there is no doubt:
/// one new checkpoint of a backup, made when ours was, with the name that the host gives.
/// Contract: 2.1 [M]
pub(crate) fn find_checkpoint(entry: &JournalEntry, vm: &VmFacts) -> Found<SnapshotFacts> {
    let recoveries = || vm.recovery_snapshots();
    if let Some(id) = &entry.snapshot {
        let mut own = recoveries().filter(|own| own.settings.instance_id.eq_ignore_ascii_case(id));
        return own.next().cloned().map_or(Found::Nothing, Found::Ours);
    }
    let Some(asked) = entry.asked else {
        return Found::Nothing;
    };
    let new: Vec<SnapshotFacts> = recoveries()
        .filter(|own| !entry.before.has_snapshot(&own.settings.instance_id))
        .cloned()
        .collect();
    let marked = marked_name(&entry.run);
    if let Some(own) = new.iter().find(|own| own.name == marked) {
        return Found::Ours(own.clone());
    }
    let in_time = |own: &SnapshotFacts| {
        own.created.is_some_and(|created| {
            let after = created.duration_since(asked);
            after >= -SKEW && after <= MAKING
        })
    };
    let unnamed = |own: &SnapshotFacts| {
        !is_marked(&own.name)
            && (is_default_name(&own.name, &vm.name) || is_default_name(&own.name, &entry.vm_name))
    };
    match new.as_slice() {
        [] => Found::Nothing,
        [own] if in_time(own) && unnamed(own) => Found::Ours(own.clone()),
        _ => Found::Undecided(new),
    }
}

/// Finds the reference point of a run whose checkpoint is gone.
///
/// Reference points have neither names nor times. One whose id was not written down is ours only
/// where it is the only new one and all that were there before still are: a program that takes
/// others' away would have taken those too. Contract: 2.2 [M]
pub(crate) fn find_reference_point(
    entry: &JournalEntry,
    vm: &VmFacts,
) -> Found<ReferencePointFacts> {
    if let Some(id) = &entry.reference_point {
        let own = vm.reference_point(id);
        return own.cloned().map_or(Found::Nothing, Found::Ours);
    }
    if !entry.converting {
        return Found::Nothing;
    }
    let new: Vec<ReferencePointFacts> = vm
        .reference_points
        .iter()
        .filter(|point| !entry.before.has_reference_point(&point.instance_id))
        .cloned()
        .collect();
    let mut before = entry.before.reference_points.iter();
    let all_there = before.all(|id| vm.reference_point(id).is_some());
    match new.as_slice() {
        [] => Found::Nothing,
        [own] if all_there => Found::Ours(own.clone()),
        _ => Found::Undecided(new),
    }
}

/// How far the merge is that follows the removal of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MergeState {
    /// It has ended, or there was none.
    Done,
    /// The host says that it goes on.
    Running,
    /// The host does not say that it goes on, and the VM still writes to a checkpoint's file.
    Pending,
}

impl MergeState {
    /// Returns the state in words.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Done => "it is merged",
            Self::Running => "the host is merging it",
            Self::Pending => "the host has not begun to merge it, or has given up",
        }
    }
}

/// Tells how far a VM's merge is after a run's checkpoint was removed. Contract: 2.1 [V?]
pub(crate) fn merge_state(entry: &JournalEntry, vm: &VmFacts) -> MergeState {
    if vm.operation == Some(VmOperation::MergingDisks) {
        return MergeState::Running;
    }
    let same_checkpoints = vm.snapshots.len() == entry.before.snapshots.len()
        && vm
            .snapshots
            .iter()
            .all(|own| entry.before.has_snapshot(&own.settings.instance_id));
    // With other checkpoints than before the VM may rightly write to other files.
    let still_apart = same_checkpoints
        && vm.disks.iter().any(|disk| {
            let name = file_name(&disk.path);
            let mut before = entry.before.leaves.iter();
            is_checkpoint_file(&name) && !before.any(|leaf| file_name(leaf) == name)
        });
    if still_apart {
        MergeState::Pending
    } else {
        MergeState::Done
    }
}

/// Returns whether a file's name, in lower case, is one that checkpoints' files have.
pub(crate) fn is_checkpoint_file(name: &str) -> bool {
    name.ends_with(".avhdx") || name.ends_with(".avhd")
}

/// Returns the last part of a host's path, in lower case: storage migration does not change it.
pub(crate) fn file_name(path: &str) -> String {
    let name = path.rsplit(['\\', '/']).next().unwrap_or_default();
    name.to_lowercase()
}
