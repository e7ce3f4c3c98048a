//! Holding a VM still.

use std::sync::Arc;
use std::time::Duration;

use disk_image::HostPaths;
use hyperv_host::{
    BackupRequest, Finding, FrozenVm, HostError, HostErrorKind, PreviousBackup, Severity,
    StepObserver, VmEntry,
};

use super::clean_up::{busy_with, clean_up, kept_points};
use super::freeze::Freezing;
use super::frozen_checkpoint::FrozenCheckpoint;
use super::frozen_disk::{DiskMarks, Opened, open_disks};
use super::kept_files::kept_files;
use super::link::Link;
use super::patience::Tries;
use super::room_watch::RoomWatch;
use crate::facts::{HostState, VmFacts};
use crate::journal::{Journal, JournalEntry, OpenEntry, Recorded};
use crate::plan::{no_room, plan_of};
use crate::residue::{Fate, settle};
use crate::{WmiHost, findings};

/// Holds a VM still for a backup.
pub(crate) fn begin(
    host: &WmiHost,
    vm: &VmEntry,
    request: &BackupRequest,
    previous: Option<&PreviousBackup>,
    observer: &dyn StepObserver,
) -> Result<Box<dyn FrozenVm>, HostError> {
    let state = host.host_state()?;
    let bytes = host.bytes.clone();
    let bytes = bytes.ok_or_else(|| HostError::blocked(&findings::no_bytes(&state.computer)))?;
    let journal = journal_of(host)?.ok_or_else(no_journal)?;
    let link = Link::of(host);
    let mut facts = quiet_vm(host, &link, &state, vm, request, observer)?;
    let cleaned = clean_up(&link, &journal, &facts, previous, request, observer)?;
    if cleaned.changed {
        facts = read(host, &state, vm)?;
    }
    let plan = plan_of(host, &facts, &state, request, previous);
    if let Some(block) = plan.block() {
        return Err(block_error(block));
    }
    let mut entry = JournalEntry::new(link.host(), facts.id, &facts.name, &request.run);
    entry.obsolete = kept_points(previous);
    entry.repository.clone_from(&request.repository);
    let begun = Begun {
        link: &link,
        bytes: &bytes,
        state: &state,
        vm,
        request,
        previous,
        observer,
    };
    let mut entry = journal.begin(entry)?;
    // Whoever began at the same moment sees one of the two entries at least.
    refuse_a_second(&journal, &entry)?;
    match begun.freeze(facts, &mut entry, cleaned.findings, plan.left_out) {
        Ok(frozen) => Ok(Box::new(frozen.with_entry(entry))),
        Err(error) => {
            let left = settle(&link, entry, Fate::Abandoned, Duration::ZERO).left;
            Err(with_what_is_left(error, &left))
        }
    }
}

/// Fails where another run of the VM began meanwhile.
fn refuse_a_second(journal: &Journal, own: &OpenEntry) -> Result<(), HostError> {
    let (vm, run) = (own.entry().vm, own.entry().run.as_str());
    for recorded in journal.entries_of(vm)? {
        if let Recorded::Living(other) = recorded
            && other.vm == vm
            && other.run != run
        {
            return Err(busy_with(&other));
        }
    }
    Ok(())
}

/// Opens the host's journal, where it has one.
pub(crate) fn journal_of(host: &WmiHost) -> Result<Option<Journal>, HostError> {
    let folder = host.options.journal.as_deref();
    folder.map(Journal::open).transpose()
}

fn no_journal() -> HostError {
    let finding = Finding::new(
        "HOST-NO-JOURNAL",
        Severity::Block,
        "nothing says where to write down what a backup makes on the host, so that a later run \
         finds it: nothing is made",
    );
    HostError::blocked(&finding.cure("name a folder that this machine keeps: --state FOLDER"))
}

/// No room is a kind of its own: it passes.
fn block_error(block: &Finding) -> HostError {
    if block.id != "VM-NO-ROOM" {
        return HostError::blocked(block);
    }
    let text = format!("{}: {}", block.id, block.text);
    let error = HostError::new(HostErrorKind::NoRoom, text);
    error.hint(block.cure.clone().unwrap_or_default())
}

fn with_what_is_left(error: HostError, left: &[crate::residue::Left]) -> HostError {
    if left.is_empty() {
        return error;
    }
    let texts: Vec<&str> = left.iter().map(|left| left.finding.text.as_str()).collect();
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

fn read(host: &WmiHost, state: &HostState, vm: &VmEntry) -> Result<VmFacts, HostError> {
    let mut facts = host.vm_facts(&vm.identity)?;
    let cluster = state.cluster.as_ref();
    facts.clustered = cluster.is_some_and(|cluster| cluster.vm(facts.id).is_some());
    Ok(facts)
}

/// Reads the VM once the host does nothing with it, or gives up.
fn quiet_vm(
    host: &WmiHost,
    link: &Link,
    state: &HostState,
    vm: &VmEntry,
    request: &BackupRequest,
    observer: &dyn StepObserver,
) -> Result<VmFacts, HostError> {
    let mut tries = Tries::new(request.retry);
    loop {
        let facts = read(host, state, vm)?;
        let Some(operation) = facts.operation else {
            return Ok(facts);
        };
        let Some(pause) = tries.next_pause() else {
            let text = format!(
                "{}: the VM {} is busy: the host is {}, and still was after {} s",
                link.host(),
                facts.name,
                operation.text(),
                tries.waited().as_secs()
            );
            let error = HostError::new(HostErrorKind::Busy, text);
            return Err(error.hint("run the backup again when the host is done"));
        };
        observer.step(&format!("waiting: the host is {}", operation.text()));
        link.pause(pause, Some(observer));
        stop_if_cancelled(observer)?;
    }
}

pub(super) fn stop_if_cancelled(observer: &dyn StepObserver) -> Result<(), HostError> {
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
        let kept = kept_files(self.bytes, &frozen.vm, &frozen.snapshot, &mut findings)?;
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
