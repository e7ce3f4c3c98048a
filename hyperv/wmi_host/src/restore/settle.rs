//! Ending a restore that did not come to its end: what it made is removed.

use std::time::Duration;

use hyperv_host::{Finding, HostError, PowerState, RestoredVm};
use jiff::SignedDuration;

use super::entry::vm_names;
use super::findings;
use super::planned_vm::{PlannedVm, find_planned};
use super::system::{Sort, take_away};
use super::through_writer;
use crate::WmiHost;
use crate::backup::checkpoint::marked_name;
use crate::backup::link::Link;
use crate::backup::{journal_of, with_what_is_told};
use crate::facts::VmFacts;
use crate::host_failure::host_failure;
use crate::journal::{JournalEntry, OpenEntry, Recorded};
use crate::residue::{Asker, Found};

/// What was asked for, and was not heard of, comes about within this time, or not at all.
const MAY_COME: SignedDuration = SignedDuration::from_secs(60);
/// A VM that came of a restore is the restore's for so long.
const IS_OURS: SignedDuration = SignedDuration::from_hours(24);
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Ends a restore that failed: removes what it has made, or says with the error what is left.
pub(super) fn give_up(link: &Link, entry: OpenEntry, error: HostError) -> HostError {
    let (_, left) = settle_restore(link, entry);
    with_what_is_told(error, &left)
}

/// Removes what a restore has made, and closes its entry where nothing is left. Returns whether the
/// host was changed, and what is left.
pub(crate) fn settle_restore(link: &Link, entry: OpenEntry) -> (bool, Vec<Finding>) {
    if through_writer::is_writers(entry.entry()) {
        return (false, through_writer::settle(link, entry));
    }
    let mut settling = Settling {
        link,
        entry: entry.entry(),
        changed: false,
        left: Vec::new(),
    };
    if !settling.entry.is_untouched()
        && let Err(error) = settling.work()
    {
        let finding = findings::unsettled(settling.entry, &error);
        settling.left.push(finding);
    }
    let (changed, mut left) = (settling.changed, settling.left);
    if left.is_empty() {
        left.extend(findings::close(entry));
    }
    (changed, left)
}

/// Settles all restores of a host that died; returns what was done, and what is left.
pub(crate) fn settle_restores(host: &WmiHost) -> Result<Vec<Finding>, HostError> {
    let Some(journal) = journal_of(host)? else {
        return Ok(Vec::new());
    };
    let dead = journal.entries()?.into_iter().filter_map(|own| match own {
        Recorded::Dead(entry) if entry.entry().restore.is_some() => Some(entry),
        _ => None,
    });
    let dead: Vec<OpenEntry> = dead.collect();
    if dead.is_empty() {
        return Ok(Vec::new());
    }
    let link = Link::of(host);
    let asker = Asker::new(host, &host.host_state()?);
    let mut findings = Vec::new();
    for entry in dead {
        if !asker.owns(entry.entry(), None) {
            continue;
        }
        let settled = findings::settled(entry.entry());
        let (changed, left) = settle_restore(&link, entry);
        findings.extend(left);
        if changed {
            findings.push(settled);
        }
    }
    Ok(findings)
}

struct Settling<'a> {
    link: &'a Link,
    entry: &'a JournalEntry,
    changed: bool,
    left: Vec<Finding>,
}

impl Settling<'_> {
    fn work(&mut self) -> Result<(), HostError> {
        let planned = self.planned()?;
        match planned {
            Found::Nothing => {}
            Found::Undecided(all) => {
                self.left
                    .push(findings::planned_undecided(self.entry, &all));
                return Ok(());
            }
            Found::Ours(own) => {
                self.changed = true;
                if let Err(error) =
                    take_away(self.link, &own.path, own.id, Sort::Planned, &own.name)
                {
                    let finding = findings::planned_left(self.entry, &own, &format!(": {error}"));
                    self.left.push(finding);
                    return Ok(());
                }
            }
        }
        match self.vm()? {
            Some(vm) => self.remove(&vm),
            None => Ok(()),
        }
    }

    /// Finds the planned VM; where it is not known whether it was made, it is waited for.
    fn planned(&self) -> Result<Found<PlannedVm>, HostError> {
        loop {
            let found = find_planned(self.link, self.entry);
            let found = found.map_err(|error| {
                host_failure(self.link.host(), "looking for a planned VM", error)
            })?;
            let is_known = self.restore().is_some_and(|own| own.made.is_some());
            if is_known || found != Found::Nothing || !self.may_come() {
                return Ok(found);
            }
            self.link.clock.wait(LOOK_EVERY);
        }
    }

    fn restore(&self) -> Option<&crate::journal::RestoreEntry> {
        self.entry.restore.as_ref()
    }

    fn age(&self) -> Option<SignedDuration> {
        let asked = self.restore()?.asked?;
        Some(self.link.clock.now().duration_since(asked))
    }

    fn may_come(&self) -> bool {
        self.age().is_some_and(|age| age < MAY_COME)
    }

    /// Finds the VM that came of the restore; where it is not known whether it was made, it is
    /// waited for.
    fn vm(&self) -> Result<Option<VmFacts>, HostError> {
        loop {
            let found = vm_of_restore(self.link, self.entry)?;
            let is_known = self.restore().is_none_or(|own| own.made.is_some());
            let is_direct = self.restore().is_some_and(|own| own.is_direct);
            if found.is_some() || is_known || !is_direct || !self.may_come() {
                return Ok(found);
            }
            self.link.clock.wait(LOOK_EVERY);
        }
    }

    /// Removes a VM that is not all made yet. One that is waits for whoever made it: the same
    /// restore takes it for its own when it is run again. One that runs, or is older than a day,
    /// is somebody's.
    fn remove(&mut self, vm: &VmFacts) -> Result<(), HostError> {
        let runs = !matches!(vm.state, PowerState::Off | PowerState::Saved);
        if !is_half_made(self.entry, vm) {
            if !runs && self.age().is_some_and(|age| age <= IS_OURS) {
                self.left.push(findings::restored_vm_waits(self.entry, vm));
            }
            return Ok(());
        }
        if runs {
            let why = format!("it is {}, so it is not removed", vm.state_text);
            let finding = findings::restored_vm_stays(self.entry, vm, &why);
            self.left.push(finding);
            return Ok(());
        }
        self.changed = true;
        if let Err(error) = take_away(self.link, &vm.path, vm.id, Sort::Realized, &vm.name) {
            let why = error.to_string();
            let finding = findings::restored_vm_stays(self.entry, vm, &why);
            self.left.push(finding);
        }
        Ok(())
    }
}

/// Returns whether a VM still has the name that it has until all of it is made.
pub(super) fn is_half_made(entry: &JournalEntry, vm: &VmFacts) -> bool {
    let is_direct = entry.restore.as_ref().is_some_and(|own| own.is_direct);
    is_direct && vm.name == marked_name(&entry.run)
}

/// Returns the names of the VMs that restores have half made: to others they are not there yet.
pub(super) fn half_made_names(host: &WmiHost) -> Result<Vec<String>, HostError> {
    let Some(journal) = journal_of(host)? else {
        return Ok(Vec::new());
    };
    let name = |recorded: &Recorded| {
        let entry = match recorded {
            Recorded::Living(entry) => entry,
            Recorded::Dead(open) => open.entry(),
            Recorded::Unreadable { .. } => return None,
        };
        let restore = entry.restore.as_ref()?;
        restore.is_direct.then(|| marked_name(&entry.run))
    };
    Ok(journal.entries()?.iter().filter_map(name).collect())
}

/// Takes up a restore of this id that died: a VM that it has made is returned, with its entry, and
/// what it has half made is removed.
pub(super) fn take_up(
    host: &WmiHost,
    link: &Link,
    computer: &str,
    run: &str,
) -> Result<Option<(VmFacts, OpenEntry)>, HostError> {
    let Some(journal) = journal_of(host)? else {
        return Ok(None);
    };
    let mut made = None;
    for recorded in journal.entries()? {
        let Recorded::Dead(entry) = recorded else {
            continue;
        };
        let own = entry.entry();
        let is_here = own.computer.eq_ignore_ascii_case(computer);
        let is_own = own.restore.is_some() && own.run == run && is_here;
        if !is_own {
            continue;
        }
        let vm = match find_planned(link, own) {
            Ok(Found::Nothing) => vm_of_restore(link, own)?,
            _ => None,
        };
        match vm.filter(|vm| made.is_none() && !is_half_made(own, vm)) {
            Some(vm) => made = Some((vm, entry)),
            None => {
                settle_restore(link, entry);
            }
        }
    }
    Ok(made)
}

/// Takes a VM that is made for that of its restore.
pub(super) fn taken_up(vm: &VmFacts, entry: OpenEntry) -> RestoredVm {
    RestoredVm {
        identity: vm.identity(),
        name: vm.name.clone(),
        findings: findings::close(entry).into_iter().collect(),
    }
}

/// Finds the VM that came of a restore: by its GUID, or by the name that only the restore gives.
pub(super) fn vm_of_restore(
    link: &Link,
    entry: &JournalEntry,
) -> Result<Option<VmFacts>, HostError> {
    let asked = entry.restore.as_ref().filter(|own| own.asked.is_some());
    let Some(restore) = asked.filter(|own| own.is_direct || own.realizing) else {
        return Ok(None);
    };
    let failed = |error| host_failure(link.host(), "looking for the VM of a restore", error);
    let id = match restore.made {
        Some(id) => Some(id),
        None => {
            let marked = marked_name(&entry.run);
            let mut vms = vm_names(link).map_err(failed)?.into_iter();
            vms.find(|(_, name)| *name == marked).map(|(id, _)| id)
        }
    };
    let Some(id) = id.filter(|id| !restore.vms_before.contains(id)) else {
        return Ok(None);
    };
    let read = || VmFacts::read(&*link.session, id);
    link.patiently(read).map_err(failed)
}
