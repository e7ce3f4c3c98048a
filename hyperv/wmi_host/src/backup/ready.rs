//! A VM that nothing stands in the way of.

use std::sync::Arc;

use disk_image::HostPaths;
use hyperv_host::{
    BackupRequest, Finding, HostError, HostErrorKind, LeftOut, PreviousBackup, Severity,
    StepObserver, VmEntry,
};

use super::begin::{journal_of, stop_if_cancelled};
use super::clean_up::{busy_with, clean_up, kept_points};
use super::link::Link;
use super::patience::Tries;
use crate::facts::{HostState, VmFacts};
use crate::journal::{Journal, JournalEntry, OpenEntry, Recorded};
use crate::plan::{Choice, choose, plan_of};
use crate::replication::TimesSeen;
use crate::residue::Asker;
use crate::{WmiHost, findings, replication};

/// What was asked for, and of whom.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) host: &'a WmiHost,
    pub(crate) state: &'a HostState,
    pub(crate) vm: &'a VmEntry,
    pub(crate) request: &'a BackupRequest,
    pub(crate) observer: &'a dyn StepObserver,
}

/// A VM that nothing stands in the way of: quiet, cleaned up, planned.
pub(crate) struct Ready {
    pub(crate) link: Link,
    pub(crate) bytes: Arc<dyn HostPaths>,
    journal: Journal,
    asker: Asker,
    pub(crate) facts: VmFacts,
    pub(crate) choice: Choice,
    pub(crate) left_out: Vec<LeftOut>,
    /// What was cleaned up.
    pub(crate) findings: Vec<Finding>,
}

impl Ready {
    /// Reads a VM anew, cleans up after runs of it that died, and plans. `kept` are the reference
    /// points that its last restore point needs, where that is known.
    pub(crate) fn of(asked: &Asked<'_>, kept: Option<&[String]>) -> Result<Self, HostError> {
        let Asked {
            host,
            state,
            vm,
            request,
            observer,
        } = *asked;
        let bytes = host.bytes.clone();
        let bytes =
            bytes.ok_or_else(|| HostError::blocked(&findings::no_bytes(&state.computer)))?;
        let journal = journal_of(host)?.ok_or_else(no_journal)?;
        let link = Link::to_vm(host, vm);
        let mut facts = quiet_vm(host, &link, state, vm, request, observer)?;
        let asker = Asker::new(host, state);
        let cleaned = clean_up(&link, &journal, &asker, &facts, kept, request, observer)?;
        if cleaned.changed {
            facts = read(host, state, vm)?;
        }
        let plan = plan_of(host, &facts, state, request, None);
        if let Some(block) = plan.block() {
            return Err(block_error(block));
        }
        Ok(Self {
            choice: choose(&facts, state, request, host.vss.is_some()),
            link,
            bytes,
            journal,
            asker,
            facts,
            left_out: plan.left_out,
            findings: cleaned.findings,
        })
    }

    /// Writes down that a run of the VM has begun.
    pub(crate) fn begin_entry(
        &self,
        request: &BackupRequest,
        previous: Option<&PreviousBackup>,
    ) -> Result<OpenEntry, HostError> {
        let facts = &self.facts;
        let mut entry = JournalEntry::new(self.link.host(), facts.id, &facts.name, &request.run);
        entry.computer = self.asker.computer().to_owned();
        entry.obsolete = kept_points(previous);
        entry.repository.clone_from(&request.repository);
        let entry = self.journal.begin(entry)?;
        // Whoever began at the same moment sees one of the two entries at least.
        refuse_a_second(&self.journal, &entry, &self.asker, facts)?;
        Ok(entry)
    }
}

/// Fails where another run of the VM began meanwhile.
fn refuse_a_second(
    journal: &Journal,
    own: &OpenEntry,
    asker: &Asker,
    facts: &VmFacts,
) -> Result<(), HostError> {
    let (vm, run) = (own.entry().vm, own.entry().run.as_str());
    for recorded in journal.entries_of(vm)? {
        if let Recorded::Living(other) = recorded
            && other.vm == vm
            && other.run != run
            && asker.owns(&other, Some(facts))
        {
            return Err(busy_with(&other));
        }
    }
    Ok(())
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
pub(crate) fn block_error(block: &Finding) -> HostError {
    if block.id != "VM-NO-ROOM" {
        return HostError::blocked(block);
    }
    let text = format!("{}: {}", block.id, block.text);
    let error = HostError::new(HostErrorKind::NoRoom, text);
    error.hint(block.cure.clone().unwrap_or_default())
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
        let operation = facts
            .operation
            .map(|own| format!("the host is {}", own.text()));
        let Some(operation) = operation.or_else(|| replication::stands_in_the_way(&facts)) else {
            return Ok(facts);
        };
        let Some(pause) = tries.next_pause() else {
            let text = format!(
                "{}: the VM {} is busy: {operation}, and still was after {} s",
                link.host(),
                facts.name,
                tries.waited().as_secs()
            );
            let error = HostError::new(HostErrorKind::Busy, text);
            let error = error.hint("run the backup again when the host is done");
            if let Some(folder) = host.options.journal.as_deref()
                && facts.replication.is_replica()
            {
                TimesSeen::note_attempt(folder, facts.id, link.clock.now(), Some(&error));
            }
            return Err(error);
        };
        observer.step(&format!("waiting: {operation}"));
        link.pause(pause, Some(observer));
        stop_if_cancelled(observer)?;
    }
}
