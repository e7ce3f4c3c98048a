//! Ending a run: what it made on the host is removed, or known to be needed.

use std::time::Duration;

use hyperv_host::{Finding, HostError, Severity};
use wmi::{JobState, MethodError, ObjectPath};

use super::examine::{Found, MergeState, find_checkpoint, find_reference_point, merge_state};
use super::findings;
use crate::backup::link::Link;
use crate::backup::{checkpoint, reference_point};
use crate::facts::{ReferencePointFacts, VmFacts, VmOperation};
use crate::journal::OpenEntry;
use crate::replication::resume;
use crate::vss::{give_back, remove_auto_recovery};

/// How long an operation of the VM is waited for: it may be one that the run has begun.
const BUSY_MAX: Duration = Duration::from_secs(120);
/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What is known of the point that a run was to make.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fate<'a> {
    /// It does not exist.
    Abandoned,
    /// It exists.
    Committed,
    /// It exists if the last point keeps the run's reference point: these are the ones it keeps.
    Kept(&'a [String]),
    /// Nothing is known.
    Unknown,
}

/// What came of settling an entry.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// The host was changed.
    pub(crate) changed: bool,
    /// What is left. Where there is anything, the entry stays.
    pub(crate) left: Vec<Left>,
}

/// Something that is left.
#[derive(Debug)]
pub(crate) struct Left {
    /// Nothing new may be made on the VM before it is gone.
    pub(crate) blocks: bool,
    /// What it is.
    pub(crate) finding: Finding,
}

/// Settles an entry: removes what its run made and nobody needs, gives back what it took, waits for
/// the merge for at most `merge_wait`, and closes the entry where nothing is left.
pub(crate) fn settle(
    link: &Link,
    entry: OpenEntry,
    fate: Fate<'_>,
    merge_wait: Duration,
) -> Settled {
    let mut entry = entry;
    let mut settled = undo(link, &mut entry, fate, merge_wait);
    if settled.left.is_empty() {
        let place = entry.place();
        if let Err(error) = entry.close() {
            let finding = findings::journal_not_closed(&place, &error.to_string());
            settled.left.push(Left {
                blocks: false,
                finding,
            });
        }
    }
    settled
}

/// As [`settle`], and the entry stays open: its run goes on.
pub(crate) fn undo(
    link: &Link,
    entry: &mut OpenEntry,
    fate: Fate<'_>,
    merge_wait: Duration,
) -> Settled {
    let mut settling = Settling {
        link,
        entry,
        fate,
        settled: Settled::default(),
    };
    if !settling.entry.entry().is_untouched() {
        let result = settling.work(merge_wait);
        if let Err(error) = result {
            let finding = findings::unsettled(settling.entry.entry(), &error.to_string());
            settling.leave(true, finding);
        }
    }
    settling.settled
}

struct Settling<'a> {
    link: &'a Link,
    entry: &'a mut OpenEntry,
    fate: Fate<'a>,
    settled: Settled,
}

impl Settling<'_> {
    fn leave(&mut self, blocks: bool, finding: Finding) {
        self.settled.left.push(Left { blocks, finding });
    }

    fn work(&mut self, merge_wait: Duration) -> Result<(), HostError> {
        let Some(vm) = self.quiet_vm()? else {
            let finding = findings::vm_gone(self.entry.entry(), &self.entry.place());
            self.leave(true, finding);
            return Ok(());
        };
        // A VM that does not run for us comes first.
        let vm = self.power(vm)?;
        self.replication();
        let at_work = vm.operation.filter(|own| *own != VmOperation::MergingDisks);
        if at_work.is_some() || self.job_goes_on()? {
            let finding = findings::job_goes_on(self.entry.entry());
            self.leave(true, finding);
            return Ok(());
        }
        self.checkpoint(&vm)?;
        if self.settled.left.is_empty() {
            let vm = match self.settled.changed {
                true => self.read()?.unwrap_or(vm),
                false => vm,
            };
            self.reference_points(&vm)?;
            self.merge(vm, merge_wait)?;
            self.auto_recovery()?;
        }
        Ok(())
    }

    /// Gives back what the VM was doing before it was saved.
    fn power(&mut self, vm: VmFacts) -> Result<VmFacts, HostError> {
        if self.entry.entry().found.is_none() {
            return Ok(vm);
        }
        match give_back(self.link, &vm, self.entry) {
            Ok(changed) => {
                self.settled.changed |= changed;
                Ok(self.read()?.unwrap_or(vm))
            }
            Err(error) => {
                let finding = findings::power_not_given_back(self.entry.entry(), &error);
                self.leave(true, finding);
                Ok(vm)
            }
        }
    }

    /// Resumes the VM's replication where the run has paused it.
    fn replication(&mut self) {
        match resume(self.link, self.entry) {
            Ok(changed) => self.settled.changed |= changed,
            Err(error) => {
                let finding = findings::replication_paused(self.entry.entry(), &error);
                self.leave(false, finding);
            }
        }
    }

    /// Removes files that the host's writer has left for us, or tells of them.
    fn auto_recovery(&mut self) -> Result<(), HostError> {
        if !self.settled.left.is_empty() || self.entry.entry().auto_recovery.is_empty() {
            return Ok(());
        }
        let entry = self.entry.entry();
        let left = remove_auto_recovery(self.link, &entry.auto_recovery, entry.writer_asked);
        for path in &left {
            self.leave(true, findings::auto_recovery_left(path));
        }
        self.entry.change(|entry| entry.auto_recovery = left)
    }

    fn read(&self) -> Result<Option<VmFacts>, HostError> {
        self.link.vm(self.entry.entry().vm)
    }

    /// Reads the VM once the host does nothing with it but merge, or after a while.
    fn quiet_vm(&self) -> Result<Option<VmFacts>, HostError> {
        let mut waited = Duration::ZERO;
        loop {
            let vm = self.read()?;
            let busy = vm.as_ref().is_some_and(|vm| {
                vm.operation
                    .is_some_and(|operation| operation != VmOperation::MergingDisks)
            });
            if !busy || waited >= BUSY_MAX {
                return Ok(vm);
            }
            self.link.clock.wait(LOOK_EVERY);
            waited += LOOK_EVERY;
        }
    }

    /// Returns whether the job that was to make the checkpoint, and did not end in time, goes on.
    fn job_goes_on(&self) -> Result<bool, HostError> {
        let Some(job) = self
            .entry
            .entry()
            .job
            .as_deref()
            .and_then(ObjectPath::parse)
        else {
            return Ok(false);
        };
        match self.link.patiently(|| self.link.session.get(&job)) {
            Ok(job) => {
                let state = JobState::of(job.number("JobState").unwrap_or(0));
                Ok(matches!(state, JobState::Active(_)))
            }
            // A job is gone five minutes after its end (contract 0.3).
            Err(error) if error.kind() == wmi::WmiErrorKind::NotFound => Ok(false),
            Err(error) => {
                let host = self.link.host();
                let doing = "looking at a checkpoint's job";
                Err(crate::host_failure::host_failure(host, doing, error))
            }
        }
    }

    fn checkpoint(&mut self, vm: &VmFacts) -> Result<(), HostError> {
        match find_checkpoint(self.entry.entry(), vm) {
            Found::Nothing => Ok(()),
            Found::Undecided(undecided) => {
                let finding = findings::checkpoint_undecided(vm, &undecided);
                self.leave(false, finding);
                Ok(())
            }
            Found::Ours(own) => {
                let removed = checkpoint::destroy(self.link, &own.path);
                self.settled.changed = true;
                if let Err(error) = removed
                    && self.is_still_there(&own.settings.instance_id)?
                {
                    let finding = findings::checkpoint_stays(vm, &own, &error);
                    self.leave(true, finding);
                    return Ok(());
                }
                self.entry.change(|entry| {
                    entry.snapshot = None;
                    entry.asked = None;
                    entry.job = None;
                    entry.converting = false;
                })
            }
        }
    }

    /// After a failed removal: hosts report failures of what they have done.
    fn is_still_there(&self, instance_id: &str) -> Result<bool, HostError> {
        let vm = self.read()?;
        Ok(vm.is_some_and(|vm| {
            let mut snapshots = vm.snapshots.iter();
            snapshots.any(|own| own.settings.instance_id.eq_ignore_ascii_case(instance_id))
        }))
    }

    fn reference_points(&mut self, vm: &VmFacts) -> Result<(), HostError> {
        match find_reference_point(self.entry.entry(), vm) {
            Found::Nothing => {}
            Found::Undecided(undecided) => {
                let finding = findings::reference_point_undecided(vm, &undecided);
                self.leave(false, finding);
            }
            Found::Ours(own) => match self.is_needed(&own) {
                Some(true) => {}
                Some(false) => self.remove_point(vm, &own)?,
                None => {
                    let finding = findings::reference_point_waits(vm, &own);
                    self.leave(false, finding);
                }
            },
        }
        if self.is_committed() == Some(true) {
            for id in self.entry.entry().obsolete.clone() {
                if let Some(own) = vm.reference_point(&id) {
                    self.remove_point(vm, &own.clone())?;
                }
            }
        }
        Ok(())
    }

    /// Returns whether the run's point exists; `None`: that is not known.
    fn is_committed(&self) -> Option<bool> {
        let entry = self.entry.entry();
        match self.fate {
            _ if entry.committed => Some(true),
            Fate::Abandoned => Some(false),
            Fate::Committed => Some(true),
            // Before there was a reference point there was no restore point.
            Fate::Unknown | Fate::Kept(_) if entry.reference_point.is_none() => Some(false),
            Fate::Unknown => None,
            Fate::Kept(kept) => {
                let own = entry.reference_point.as_deref().unwrap_or_default();
                Some(kept.iter().any(|id| id.eq_ignore_ascii_case(own)))
            }
        }
    }

    /// Returns whether a point needs the run's reference point: one whose id never made it into
    /// the journal is in no cursor.
    fn is_needed(&self, own: &ReferencePointFacts) -> Option<bool> {
        let entry = self.entry.entry();
        let known = entry.reference_point.as_deref();
        if entry.without_cursors
            || known.is_none_or(|id| !id.eq_ignore_ascii_case(&own.instance_id))
        {
            return Some(false);
        }
        self.is_committed()
    }

    fn remove_point(&mut self, vm: &VmFacts, own: &ReferencePointFacts) -> Result<(), HostError> {
        self.settled.changed = true;
        if let Err(error) = reference_point::destroy(self.link, &own.path) {
            let now = self.read()?;
            if now.is_some_and(|now| now.reference_point(&own.instance_id).is_some()) {
                self.leave_point(vm, own, &error);
            }
        }
        Ok(())
    }

    fn leave_point(&mut self, vm: &VmFacts, own: &ReferencePointFacts, error: &MethodError) {
        let finding = findings::reference_point_stays(vm, own, error);
        self.leave(false, finding);
    }

    /// Waits until the VM writes to its own files again.
    fn merge(&mut self, vm: VmFacts, merge_wait: Duration) -> Result<(), HostError> {
        let mut vm = vm;
        let mut waited = Duration::ZERO;
        loop {
            let state = merge_state(self.entry.entry(), &vm);
            if state == MergeState::Done {
                return Ok(());
            }
            if waited >= merge_wait {
                let severity = match state {
                    MergeState::Running => Severity::Info,
                    _ => Severity::Warn,
                };
                self.leave(true, findings::merge_goes_on(&vm, state, severity));
                return Ok(());
            }
            self.link.clock.wait(LOOK_EVERY);
            waited += LOOK_EVERY;
            let Some(now) = self.read()? else {
                return Ok(());
            };
            vm = now;
        }
    }
}
