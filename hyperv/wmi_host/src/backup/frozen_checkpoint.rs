//! A VM with a recovery checkpoint of ours.

use std::time::Duration;

use hyperv_host::{
    BackupMethod, BackupMode, Consistency, DiskSource, FileStamps, Finding, FrozenVm, HostError,
    LeftOut, Retry, Sealed, Severity, VmEntry, VmSource,
};
use wmi::MethodError;

use super::checkpoint;
use super::clean_up::MERGE_WAIT;
use super::cursors::cursors;
use super::freeze::Frozen;
use super::frozen_disk::DiskMarks;
use super::kept_files::KeptFiles;
use super::let_go::let_go;
use super::link::Link;
use super::patience::Tries;
use super::reference_point;
use super::refusal::is_gone;
use super::room_watch::RoomWatch;
use crate::facts::{ReferencePointFacts, SnapshotFacts, VmFacts};
use crate::journal::OpenEntry;
use crate::residue::{Fate, settle};

/// A VM with a recovery checkpoint of ours.
pub(super) struct FrozenCheckpoint {
    link: Link,
    /// `None` before it is handed over, and once the run has ended.
    entry: Option<OpenEntry>,
    /// The VM right before the checkpoint.
    vm: VmFacts,
    snapshot: SnapshotFacts,
    source: VmSource,
    marks: DiskMarks,
    /// What the kept files looked like before they were read.
    stamps: FileStamps,
    watch: RoomWatch,
    mode: BackupMode,
    retry: Retry,
}

/// What a frozen VM is put together from.
pub(super) struct Parts {
    pub(super) entry: VmEntry,
    pub(super) disks: Vec<DiskSource>,
    pub(super) kept: KeptFiles,
    pub(super) left_out: Vec<LeftOut>,
    pub(super) findings: Vec<Finding>,
    pub(super) marks: DiskMarks,
    pub(super) watch: RoomWatch,
    pub(super) mode: BackupMode,
    pub(super) retry: Retry,
}

impl FrozenCheckpoint {
    /// Puts it together.
    pub(super) fn new(link: Link, frozen: Frozen, parts: Parts) -> Result<Self, HostError> {
        let taken = frozen.snapshot.created.unwrap_or_else(|| link.clock.now());
        Ok(Self {
            stamps: FileStamps::take(&parts.kept.files)?,
            source: VmSource {
                entry: parts.entry,
                configuration: parts.kept.configuration,
                disks: parts.disks,
                images: Vec::new(),
                tree: None,
                files: parts.kept.files,
                taken,
                method: BackupMethod::RecoveryCheckpoint,
                consistency: frozen.reached,
                left_out: parts.left_out,
                stages: Vec::new(),
                interruption: None,
                findings: parts.findings,
            },
            link,
            entry: None,
            vm: frozen.vm,
            snapshot: frozen.snapshot,
            marks: parts.marks,
            watch: parts.watch,
            mode: parts.mode,
            retry: parts.retry,
        })
    }

    /// Hands the journal's entry over.
    pub(super) fn with_entry(mut self, entry: OpenEntry) -> Self {
        self.entry = Some(entry);
        self
    }

    fn check_unchanged(&self) -> Result<(), HostError> {
        for disk in &self.source.disks {
            (disk.check_unchanged)().map_err(HostError::of_disk)?;
        }
        self.stamps.check(&self.source.files)
    }

    fn is_tracked(&self) -> bool {
        let mut disks = self.marks.disks.iter();
        self.mode == BackupMode::Tracked && disks.any(|disk| disk.is_tracked)
    }

    /// Turns the checkpoint into a reference point, or says why that failed. What is left of a
    /// failure is settled with the run's end.
    fn convert(&mut self) -> Result<ReferencePointFacts, String> {
        let entry = self.entry.as_mut().ok_or("the run has ended")?;
        // What was there hours ago, before the reading, tells too little: others go on meanwhile.
        let now = self
            .link
            .vm(self.vm.id)
            .map_err(|error| error.to_string())?;
        let now = now.ok_or("the VM is not on this host any more")?;
        let points = now.reference_points.iter();
        let points: Vec<String> = points.map(|own| own.instance_id.clone()).collect();
        let noted = entry.change(|entry| {
            entry.before.reference_points = points;
            entry.converting = true;
        });
        noted.map_err(|error| error.to_string())?;
        let mut tries = Tries::new(self.retry);
        let made = loop {
            let moves = self.link.moves();
            match reference_point::convert(&self.link, &self.snapshot.path) {
                Ok(made) => break made,
                Err(error) if self.link.has_interrupted(&error, moves) => {
                    match tries.next_pause() {
                        Some(pause) => self.link.pause(pause, None),
                        None => return Err(error.to_string()),
                    }
                }
                Err(error) if error.is_conflict() => match tries.next_pause() {
                    Some(pause) => self.link.pause(pause, None),
                    None => return Err(error.to_string()),
                },
                Err(error) => {
                    if let MethodError::TimedOut { job, .. } = &error {
                        let job = job.to_string();
                        // Without the job the entry still says that a conversion was begun.
                        let _ = entry.change(|entry| entry.job = Some(job));
                    }
                    return Err(why(&error));
                }
            }
        };
        let before = entry.entry().before.clone();
        let found = reference_point::find_made(&self.link, &made, self.vm.id, &before);
        let found = found.map_err(|error| error.to_string())?;
        let point = found.ok_or("the host says that it made one, and shows none")?;
        let id = point.instance_id.clone();
        let noted = entry.change(|entry| entry.reference_point = Some(id));
        if let Err(error) = noted {
            // No cursor will name it.
            self.give_up(&point);
            return Err(error.to_string());
        }
        Ok(point)
    }

    /// Takes the host's word where it says that the guest did not take part after all.
    fn lower_level(&mut self, point: &ReferencePointFacts, findings: &mut Vec<Finding>) {
        let reached = &mut self.source.consistency;
        if point.consistency != Some(Consistency::Crash) || reached.level == Consistency::Crash {
            return;
        }
        reached.level = Consistency::Crash;
        "the host calls what it kept crash-consistent".clone_into(&mut reached.reason);
        let text = "the guest was asked to take part, and the host calls the result \
                    crash-consistent";
        findings.push(
            Finding::new("VM-CONSISTENCY", Severity::Warn, text)
                .cure("look at the event log in the guest, at VSS and its writers"),
        );
    }

    /// Removes a reference point that no cursor names; one that stays is settled with the run's
    /// end.
    fn give_up(&mut self, point: &ReferencePointFacts) {
        if let Some(entry) = &mut self.entry {
            // A journal that cannot be written still knows it until the run's end.
            let _ = entry.change(|entry| entry.without_cursors = true);
        }
        let _ = reference_point::destroy(&self.link, &point.path);
    }

    /// Removes the checkpoint; one that stays is settled with the run's end.
    fn destroy(&self, findings: &mut Vec<Finding>) {
        if let Err(error) = checkpoint::destroy(&self.link, &self.snapshot.path)
            && !is_gone(&error)
        {
            let text = format!("the run's checkpoint could not be removed: {}", why(&error));
            findings.push(
                Finding::new("RESIDUE-CHECKPOINT", Severity::Warn, text)
                    .cure("`lifeboat doctor --fix` tries again, and so does the VM's next backup"),
            );
        }
    }

    fn end(&mut self, fate: Fate<'_>, merge_wait: Duration) -> Vec<Finding> {
        let Some(entry) = self.entry.take() else {
            return Vec::new();
        };
        let_go(&mut self.source);
        let settled = settle(&self.link, entry, fate, merge_wait);
        settled.left.into_iter().map(|left| left.finding).collect()
    }
}

impl FrozenVm for FrozenCheckpoint {
    fn source(&self) -> &VmSource {
        &self.source
    }

    fn check_bearable(&self) -> Result<(), HostError> {
        self.watch.check(&self.link)
    }

    fn seal(&mut self) -> Result<Sealed, HostError> {
        self.check_unchanged()?;
        let_go(&mut self.source);
        let mut findings = Vec::new();
        if self.is_tracked() {
            match self.convert() {
                Ok(point) => {
                    self.lower_level(&point, &mut findings);
                    let disks = &self.marks.disks;
                    let cursors = cursors(&self.link, &point, &self.vm, disks, &mut findings);
                    if cursors.iter().all(Option::is_none) {
                        self.give_up(&point);
                    }
                    return Ok(Sealed {
                        cursors,
                        writer: None,
                        findings,
                    });
                }
                Err(why) => findings.push(no_reference_point(&why)),
            }
        }
        self.destroy(&mut findings);
        Ok(Sealed {
            cursors: vec![None; self.source.disks.len()],
            writer: None,
            findings,
        })
    }

    fn commit(mut self: Box<Self>) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(entry) = &mut self.entry
            && let Err(error) = entry.change(|entry| entry.committed = true)
        {
            let text = format!("the journal could not be told that the point exists: {error}");
            findings.push(Finding::new("RESIDUE-JOURNAL", Severity::Info, text));
        }
        findings.extend(self.end(Fate::Committed, MERGE_WAIT));
        findings
    }

    fn abandon(mut self: Box<Self>) -> Vec<Finding> {
        self.end(Fate::Abandoned, MERGE_WAIT)
    }
}

impl Drop for FrozenCheckpoint {
    fn drop(&mut self) {
        // Nobody hears of what is left; the journal does.
        self.end(Fate::Abandoned, Duration::ZERO);
    }
}

fn why(error: &MethodError) -> String {
    if is_gone(error) {
        return "the checkpoint, or the VM, is not on this host any more: it was moved, or another \
                program removed it"
            .to_owned();
    }
    error.to_string()
}

fn no_reference_point(why: &str) -> Finding {
    let text = format!(
        "the checkpoint could not be turned into a reference point: {why}; the VM is read in full \
         next time"
    );
    Finding::new("VM-NO-REFERENCE-POINT", Severity::Warn, text)
        .cure("look at the event log Hyper-V-VMMS/Admin on the host")
}
