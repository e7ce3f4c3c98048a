//! Holding a VM still.

use std::sync::Arc;
use std::time::Duration;

use disk_image::HostPaths;
use hyperv_host::{
    BackupRequest, Finding, FrozenVm, HostError, HostErrorKind, PreviousBackup, StepObserver,
    VmEntry,
};

use super::clean_up::kept_points;
use super::freeze::Freezing;
use super::frozen_checkpoint::FrozenCheckpoint;
use super::frozen_disk::{DiskMarks, Opened, open_disks};
use super::kept_files::kept_files;
use super::link::Link;
use super::ready::{Asked, Ready, block_error};
use super::room_watch::RoomWatch;
use crate::facts::{HostState, VmFacts, with_guest_network};
use crate::journal::{Journal, OpenEntry};
use crate::plan::{Way, no_room};
use crate::replication::TimesSeen;
use crate::residue::{Fate, settle};
use crate::{WmiHost, replication, vss};

/// Holds a VM still for a backup.
pub(crate) fn begin(
    host: &WmiHost,
    vm: &VmEntry,
    request: &BackupRequest,
    previous: Option<&PreviousBackup>,
    observer: &dyn StepObserver,
) -> Result<Box<dyn FrozenVm>, HostError> {
    let state = host.host_state()?;
    let asked = Asked {
        host,
        state: &state,
        vm,
        request,
        observer,
    };
    if vss::goes_through_writer(&asked) {
        return vss::begin_by_writer(&asked, previous);
    }
    let kept = kept_points(previous);
    let ready = Ready::of(&asked, Some(&kept))?;
    if ready.choice.way == Way::Saving {
        return vss::begin_by_saving(&asked, ready, previous);
    }
    let replica = ready
        .facts
        .replication
        .is_replica()
        .then_some(ready.facts.id);
    let frozen = by_checkpoint(&asked, previous, ready);
    if let Some((vm, folder)) = replica.zip(host.options.journal.as_deref()) {
        TimesSeen::note_attempt(folder, vm, host.clock.now(), frozen.as_ref().err());
    }
    match frozen {
        // What is only in the way now is no reason to save a VM.
        Err(error) if error.kind() == HostErrorKind::Refused => {
            vss::save_instead(&asked, previous, error)
        }
        frozen => frozen,
    }
}

/// Freezes a VM by a recovery checkpoint.
fn by_checkpoint(
    asked: &Asked<'_>,
    previous: Option<&PreviousBackup>,
    ready: Ready,
) -> Result<Box<dyn FrozenVm>, HostError> {
    let mut entry = ready.begin_entry(asked.request, previous)?;
    let Ready {
        facts,
        findings,
        left_out,
        ..
    } = ready;
    let begun = Begun {
        link: &ready.link,
        bytes: &ready.bytes,
        state: asked.state,
        vm: asked.vm,
        request: asked.request,
        previous,
        observer: asked.observer,
    };
    let frozen = begun.freeze_unreplicated(facts, &mut entry, findings, left_out);
    match frozen {
        Ok(frozen) => Ok(Box::new(frozen.with_entry(entry))),
        Err(error) => {
            let left = settle(&ready.link, entry, Fate::Abandoned, Duration::ZERO).left;
            Err(with_what_is_left(error, &left))
        }
    }
}

/// Opens the host's journal, where it has one.
pub(crate) fn journal_of(host: &WmiHost) -> Result<Option<Journal>, HostError> {
    let folder = host.options.journal.as_deref();
    folder.map(Journal::open).transpose()
}

pub(crate) fn with_what_is_left(error: HostError, left: &[crate::residue::Left]) -> HostError {
    let findings: Vec<Finding> = left.iter().map(|left| left.finding.clone()).collect();
    with_what_is_told(error, &findings)
}

/// Says with an error what the end of the run had to tell.
pub(crate) fn with_what_is_told(error: HostError, findings: &[Finding]) -> HostError {
    if findings.is_empty() {
        return error;
    }
    let texts: Vec<&str> = findings.iter().map(|own| own.text.as_str()).collect();
    let text = format!(
        "{error}; what is left is in the journal: {}",
        texts.join("; ")
    );
    let kind = error.kind();
    let hint = error.hint_text().map(str::to_owned);
    let error = HostError::new(kind, text).caused_by(error);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

pub(crate) fn stop_if_cancelled(observer: &dyn StepObserver) -> Result<(), HostError> {
    if observer.cancelled() {
        return Err(HostError::new(
            HostErrorKind::Cancelled,
            "the run was stopped",
        ));
    }
    Ok(())
}

/// What is at hand once nothing stands in the way.
struct Begun<'a> {
    link: &'a Link,
    bytes: &'a Arc<dyn HostPaths>,
    state: &'a HostState,
    vm: &'a VmEntry,
    request: &'a BackupRequest,
    previous: Option<&'a PreviousBackup>,
    observer: &'a dyn StepObserver,
}

impl Begun<'_> {
    /// As [`Begun::freeze`], with the VM's replication paused where that is asked for. After an
    /// error it is resumed when the entry is settled.
    fn freeze_unreplicated(
        &self,
        facts: VmFacts,
        entry: &mut OpenEntry,
        mut findings: Vec<Finding>,
        left_out: Vec<hyperv_host::LeftOut>,
    ) -> Result<FrozenCheckpoint, HostError> {
        if self.request.pause_replication {
            findings.extend(replication::pause(self.link, &facts, entry, self.observer)?);
        }
        let frozen = self.freeze(facts, entry, findings, left_out)?;
        // One that stays paused is in the journal: the run's end tries again, and tells.
        let _ = replication::resume(self.link, entry);
        Ok(frozen)
    }

    /// Checks the room again: how large the disks of a running VM are is known only now.
    fn check_room(&self, vm: &VmFacts, marks: &DiskMarks) -> Result<(), HostError> {
        let sizes = marks.disks.iter().filter_map(|mark| {
            let mut disks = vm.disks.iter();
            let disk = disks.find(|disk| disk.instance_id == mark.instance_id)?;
            Some((disk, Some(mark.size_bytes)))
        });
        match no_room(sizes, self.state, &self.request.room).first() {
            Some(block) => Err(block_error(block)),
            None => Ok(()),
        }
    }

    fn freeze(
        &self,
        facts: VmFacts,
        entry: &mut OpenEntry,
        mut findings: Vec<Finding>,
        left_out: Vec<hyperv_host::LeftOut>,
    ) -> Result<FrozenCheckpoint, HostError> {
        let freezing = Freezing {
            link: self.link,
            state: self.state,
            request: self.request,
            observer: self.observer,
        };
        let mut frozen = freezing.run(facts, entry)?;
        findings.append(&mut frozen.findings);
        stop_if_cancelled(self.observer)?;
        self.observer.step("asking what changed");
        let Opened {
            disks,
            mut marks,
            left_out,
            grows,
        } = open_disks(
            self.link,
            self.bytes,
            &frozen,
            self.state,
            self.request,
            self.previous,
            left_out,
        )?;
        findings.append(&mut marks.findings);
        self.check_room(&frozen.vm, &marks)?;
        let mut kept = kept_files(self.bytes, &frozen.vm, &frozen.snapshot, &mut findings)?;
        let told = |own| with_guest_network(&*self.link.session, frozen.vm.id, own);
        kept.configuration = kept.configuration.map(told);
        let watch = RoomWatch::new(self.request.room, self.link.clock.now(), grows);
        FrozenCheckpoint::new(
            self.link.clone(),
            frozen,
            super::frozen_checkpoint::Parts {
                entry: self.vm.clone(),
                disks,
                kept,
                left_out,
                findings,
                marks,
                watch,
                mode: self.request.mode,
                retry: self.request.retry,
            },
        )
    }
}
