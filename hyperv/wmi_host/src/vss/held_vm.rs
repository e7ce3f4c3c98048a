//! A VM in a set of volume snapshots, before it is read and while it is.

use std::sync::Arc;
use std::time::Duration;

use hyperv_host::{Finding, HostError, PreviousBackup, Severity, Stage, VmSource};
use jiff::Timestamp;

use super::candidate::Candidate;
use super::checkpoints::same_checkpoints;
use super::frozen_volumes::FrozenVolumes;
use super::reading::{self, Reading};
use super::snapshot_set::SnapshotSet;
use crate::backup::clean_up::MERGE_WAIT;
use crate::backup::with_what_is_told;
use crate::facts::{VmFacts, with_guest_network};
use crate::residue::{
    Fate, Found, Left, MergeState, find_checkpoint, merge_goes_on, merge_state, settle,
};

/// How long the merges after a set was made are waited for before its VMs are read. They need not
/// have ended then: what is read lies on the snapshots.
pub(super) const MERGE_LOOK: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A VM in a set of volume snapshots. Dropped without an end its run is given up.
pub(super) struct HeldVm {
    pub(super) vm: Candidate,
    pub(super) set: Arc<SnapshotSet>,
    pub(super) stages: Vec<Stage>,
    /// How long the guest did not run.
    pub(super) interruption: Option<Duration>,
}

impl HeldVm {
    /// Opens what is read of the VM, after its host has settled down.
    pub(super) fn open(
        mut self,
        previous: Option<&PreviousBackup>,
        recovers: bool,
    ) -> Result<FrozenVolumes, HostError> {
        match self.read(previous, recovers) {
            Ok(source) => FrozenVolumes::new(self, source),
            Err(error) => Err(self.give_up(error)),
        }
    }

    fn read(
        &mut self,
        previous: Option<&PreviousBackup>,
        recovers: bool,
    ) -> Result<VmSource, HostError> {
        self.vm.resume_replication();
        self.vm.note_obsolete(previous)?;
        if let Some(interruption) = self.interruption {
            self.vm.findings.push(was_saved(interruption));
        }
        let Reading {
            disks,
            images,
            tree,
            files,
            configuration,
        } = reading::open(&self.set.view, &mut self.vm, recovers)?;
        let told = |own| with_guest_network(&*self.vm.link.session, self.vm.vm.id, own);
        let configuration = configuration.map(told);
        Ok(VmSource {
            entry: self.vm.listed.clone(),
            configuration,
            disks,
            images,
            tree,
            files,
            taken: self.set.taken,
            method: self.vm.method,
            consistency: self.vm.expected.reached.clone(),
            left_out: std::mem::take(&mut self.vm.left_out),
            stages: self
                .set
                .stages
                .iter()
                .chain(&self.stages)
                .cloned()
                .collect(),
            interruption: self.interruption,
            findings: std::mem::take(&mut self.vm.findings),
        })
    }

    /// Looks whether the VM is still the one that was planned, and waits, until a time, for the
    /// writer's checkpoint to be gone and merged (requirement VSS-13). To be called right after the
    /// set was made: what happens to the VM later does not concern what is on the snapshot.
    pub(super) fn settle_down(&mut self, until: Timestamp) -> Result<(), HostError> {
        let clock = Arc::clone(&self.vm.link.clock);
        let began = clock.now();
        loop {
            let (now, state) = self.look()?;
            if state == MergeState::Done {
                self.stages.push(Stage {
                    name: "checkpoint-merged".to_owned(),
                    duration: clock.now().duration_since(began).unsigned_abs(),
                });
                return self.vm.entry()?.change(|entry| {
                    entry.asked = None;
                    entry.merging = false;
                });
            }
            if clock.now() >= until {
                let finding = merge_goes_on(&now, state, Severity::Info);
                self.vm.findings.push(finding);
                return Ok(());
            }
            clock.wait(LOOK_EVERY);
        }
    }

    /// Looks at the VM once. When the writer's checkpoint is gone that is written down at once:
    /// whatever checkpoint is seen later is another's, however long the merge takes.
    pub(super) fn look(&mut self) -> Result<(VmFacts, MergeState), HostError> {
        let now = self.vm.link.vm(self.vm.id())?;
        let now = now.ok_or_else(|| self.changed("it is not on this host any more"))?;
        if !same_checkpoints(&self.vm.vm, &now) {
            return Err(self.changed("a checkpoint of it was made, applied or removed"));
        }
        let state = self.merge_state(&now);
        let entry = self.vm.entry()?;
        let asked = entry.entry().asked.is_some();
        if asked && matches!(find_checkpoint(entry.entry(), &now), Found::Nothing) {
            entry.change(|entry| {
                entry.asked = None;
                entry.merging = true;
            })?;
        }
        Ok((now, state))
    }

    /// Ends the run of a VM that is not read after all.
    pub(super) fn give_up(mut self, error: HostError) -> HostError {
        let left = self.end(Fate::Abandoned, MERGE_WAIT);
        with_what_is_told(error, &left)
    }

    /// Tells how far the merge is; a checkpoint of the writer that is still there is not merged.
    fn merge_state(&self, now: &VmFacts) -> MergeState {
        let Some(entry) = &self.vm.entry else {
            return MergeState::Done;
        };
        match find_checkpoint(entry.entry(), now) {
            Found::Ours(_) => MergeState::Running,
            Found::Nothing | Found::Undecided(_) => merge_state(entry.entry(), now),
        }
    }

    fn changed(&self, what: &str) -> HostError {
        let text = format!(
            "{}: the VM {} changed while its volumes were snapped: {what}",
            self.vm.link.host(),
            self.vm.vm.name
        );
        HostError::new(hyperv_host::HostErrorKind::Busy, text)
            .hint("run the backup again when nobody works on the VM's checkpoints")
    }

    /// Ends the run of the VM, and with the last VM the set. Can be called again.
    pub(super) fn end(&mut self, fate: Fate<'_>, merge_wait: Duration) -> Vec<Finding> {
        let Some(entry) = self.vm.entry.take() else {
            return Vec::new();
        };
        let succeeded = matches!(fate, Fate::Committed);
        let mut findings = self.set.end(self.vm.id(), succeeded);
        let settled = settle(&self.vm.link, entry, fate, merge_wait);
        let left = settled.left.into_iter();
        findings.extend(left.map(|Left { finding, .. }| finding));
        findings
    }
}

impl Drop for HeldVm {
    fn drop(&mut self) {
        // Nobody hears of what is left; the journal does.
        self.end(Fate::Abandoned, Duration::ZERO);
    }
}

/// Says for how long the guest did not run (requirements SAVE-12, SAVE-13).
fn was_saved(interruption: Duration) -> Finding {
    let text = format!(
        "the VM did not run for {} s while its volumes were snapped; where it was saved its uptime \
         began anew",
        interruption.as_secs().max(1)
    );
    Finding::new("VM-SAVED-STATE", Severity::Info, text)
        .cure("let its guest take part (`lifeboat vm plan` says how): then it need not be saved")
}
