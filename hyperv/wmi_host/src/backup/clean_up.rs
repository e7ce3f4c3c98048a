//! Cleaning up after runs that died.

use std::time::Duration;

use hyperv_host::{
    BackupRequest, Finding, HostError, HostErrorKind, PreviousBackup, Severity, StepObserver,
};

use super::link::Link;
use crate::cursor::Cursor;
use crate::facts::VmFacts;
use crate::journal::{Journal, JournalEntry, Recorded};
use crate::residue::{Asker, Fate, owed_elsewhere, settle};

/// How long the merges of dead runs, and of one that is given up, are waited for.
pub(crate) const MERGE_WAIT: Duration = Duration::from_secs(120);

/// What came of cleaning up.
#[derive(Default)]
pub(super) struct Cleaned {
    /// The host was changed.
    pub(super) changed: bool,
    /// What was done, and what is left that does not stand in the way.
    pub(super) findings: Vec<Finding>,
}

/// Settles what dead runs have left on the VM. Nothing is stacked on what is still there.
/// `kept` are the reference points that its last restore point needs, where that is known.
pub(super) fn clean_up(
    link: &Link,
    journal: &Journal,
    asker: &Asker,
    vm: &VmFacts,
    kept: Option<&[String]>,
    request: &BackupRequest,
    observer: &dyn StepObserver,
) -> Result<Cleaned, HostError> {
    let mut cleaned = Cleaned::default();
    let is_own = |entry: &JournalEntry| entry.vm == vm.id && asker.owns(entry, Some(vm));
    for recorded in journal.entries_of(vm.id)? {
        match recorded {
            Recorded::Living(other) if is_own(&other) => return Err(busy_with(&other)),
            // A backup of a VM is no reason to take it for one that nobody wants.
            Recorded::Dead(entry) if entry.entry().restore.is_some() => {}
            Recorded::Dead(entry) if is_own(entry.entry()) => {
                let run = entry.entry().run.clone();
                observer.step(&format!("cleaning up after the run {run}"));
                // The points of this repository say nothing of a run to another one.
                let same_repository = entry.entry().repository == request.repository;
                let fate = match kept {
                    Some(kept) if same_repository => Fate::Kept(kept),
                    _ => Fate::Unknown,
                };
                let settled = settle(link, entry, fate, MERGE_WAIT);
                if let Some(left) = settled.left.iter().find(|left| left.blocks) {
                    let mut block = left.finding.clone();
                    block.severity = Severity::Block;
                    return Err(HostError::blocked(&block));
                }
                cleaned.changed |= settled.changed;
                cleaned
                    .findings
                    .extend(settled.left.into_iter().map(|left| left.finding));
                if settled.changed {
                    let text = format!("what the run {run}, which died, had left was removed");
                    cleaned
                        .findings
                        .push(Finding::new("VM-CLEANED", Severity::Info, text));
                }
            }
            Recorded::Unreadable { file, why } => {
                let finding = Finding::new(
                    "RESIDUE-JOURNAL",
                    Severity::Block,
                    format!("{file}: what a run has left on the VM cannot be read: {why}"),
                );
                let cure = "use the newer program that wrote it, or see with `lifeboat doctor` \
                            what is left and move the file away";
                return Err(HostError::blocked(&finding.cure(cure)));
            }
            Recorded::Dead(entry) if entry.entry().vm == vm.id => {
                cleaned.findings.extend(owed_elsewhere(entry.entry()));
            }
            _ => {}
        }
    }
    Ok(cleaned)
}

/// Makes the error of a VM that a living run has.
pub(super) fn busy_with(other: &JournalEntry) -> HostError {
    let text = format!(
        "the run {} is backing up the VM {}",
        other.run, other.vm_name
    );
    HostError::new(HostErrorKind::Busy, text).hint("wait until it has ended, or stop it")
}

/// Returns the reference points that the last point keeps.
pub(crate) fn kept_points(previous: Option<&PreviousBackup>) -> Vec<String> {
    let disks = previous.map_or(&[][..], |previous| &previous.disks);
    let cursors = disks.iter().filter_map(|disk| disk.cursor.as_deref());
    let mut points: Vec<String> = cursors
        .filter_map(|text| Some(Cursor::read(text)?.reference_point))
        .collect();
    points.sort();
    points.dedup();
    points
}
