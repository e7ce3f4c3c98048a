//! Residue of a whole host.

use std::collections::HashSet;
use std::time::Duration;

use hyperv_host::{Finding, HostError, Severity};
use uuid::Uuid;

use super::examine::{
    Found, MergeState, file_name, find_checkpoint, find_reference_point, is_checkpoint_file,
    merge_state,
};
use super::orphans::orphans_in;
use super::settle::{Fate, settle};
use super::{Asker, findings, merge_goes_on};
use crate::WmiHost;
use crate::backup::checkpoint::is_marked;
use crate::backup::journal_of;
use crate::backup::link::Link;
use crate::facts::{DiskFacts, HostFacts, SnapshotFacts, VmFacts, VmOperation, disks_of_settings};
use crate::journal::{JournalEntry, OpenEntry, Recorded};
use crate::restore::{restore_residue, settle_restore};
use crate::vss::{is_auto_recovery, those_there};

/// How long `fix_residue` waits for each merge.
const MERGE_WAIT: Duration = Duration::from_secs(600);

/// Something that a run left behind, or that looks like it.
#[derive(Debug, Clone)]
pub struct Residue {
    /// Identity of the VM; `None` where it is not about one.
    pub vm: Option<String>,
    /// What it is and what to do about it.
    pub finding: Finding,
    /// [`fix_residue`] can try to remove it.
    pub fixable: bool,
}

/// Finds what runs have left on a host. Nothing is changed.
///
/// Runs that live are left out. A host without a journal is searched for what carries our mark.
pub fn find_residue(host: &WmiHost) -> Result<Vec<Residue>, HostError> {
    let facts = host.host_facts()?;
    search(host, &facts, Files::OfHost)
}

/// As [`find_residue`], of one node of a cluster. `used`: the files that the VMs of all its nodes
/// use; without them no file is told to be used by nobody.
pub(crate) fn residue_of_node(
    host: &WmiHost,
    used: Option<&HashSet<String>>,
) -> Result<Vec<Residue>, HostError> {
    let facts = host.host_facts()?;
    search(host, &facts, used.map_or(Files::Unknown, Files::OfCluster))
}

/// Returns the files that a host's VMs and their checkpoints name, in lower case; `None` where it
/// does not say.
pub(crate) fn used_files(host: &WmiHost) -> Option<HashSet<String>> {
    let facts = host.host_facts().ok()?;
    Search::new(host, &facts).used_files().ok()
}

/// Which files are in use.
#[derive(Clone, Copy)]
enum Files<'a> {
    /// Those of the host's own VMs.
    OfHost,
    /// These, of the VMs of a cluster.
    OfCluster(&'a HashSet<String>),
    /// Not known.
    Unknown,
}

fn search(host: &WmiHost, facts: &HostFacts, files: Files<'_>) -> Result<Vec<Residue>, HostError> {
    let mut search = Search::new(host, facts);
    let entries = recorded(host, facts)?;
    for recorded in &entries.own {
        search.recorded(recorded);
    }
    for entry in &entries.elsewhere {
        for finding in findings::owed_elsewhere(entry) {
            search.add(Some(entry.vm), false, finding);
        }
    }
    search.checkpoints();
    search.merges();
    search.files(files);
    Ok(search.found)
}

/// Removes what runs have left on a host and can be told to be ours, and waits for merges.
/// Returns what is left then.
pub fn fix_residue(host: &WmiHost) -> Result<Vec<Residue>, HostError> {
    let link = Link::of(host);
    for recorded in recorded(host, &*host.host_facts()?)?.own {
        if let Recorded::Dead(entry) = recorded {
            if entry.entry().restore.is_some() {
                settle_restore(&link, entry);
                continue;
            }
            // What is left is found again below. A checkpoint that carries our name and is in no
            // entry may be one that another machine reads just now: it is told, not touched.
            settle(&link, entry, Fate::Unknown, MERGE_WAIT);
        }
    }
    find_residue(host)
}

/// What the journal has.
#[derive(Default)]
struct Entries {
    /// Of this host.
    own: Vec<Recorded>,
    /// Of dead runs on other hosts, with a VM of the GUID that one of this host's has.
    elsewhere: Vec<JournalEntry>,
}

/// Returns what the journal has of this host. Without a journal there is nothing.
fn recorded(host: &WmiHost, facts: &HostFacts) -> Result<Entries, HostError> {
    let Some(journal) = journal_of(host)? else {
        return Ok(Entries::default());
    };
    let asker = Asker::new(host, &facts.host);
    let owns = |entry: &JournalEntry| asker.owns(entry, facts.vm(entry.vm));
    let (own, others) = journal
        .entries()?
        .into_iter()
        .partition(|recorded| match recorded {
            Recorded::Living(entry) => owns(entry),
            Recorded::Dead(open) => owns(open.entry()),
            Recorded::Unreadable { .. } => true,
        });
    let others: Vec<Recorded> = others;
    let elsewhere = others.iter().filter_map(|recorded| match recorded {
        Recorded::Dead(open) if open.entry().restore.is_none() => {
            facts.vm(open.entry().vm).map(|_| open.entry().clone())
        }
        _ => None,
    });
    Ok(Entries {
        own,
        elsewhere: elsewhere.collect(),
    })
}

struct Search<'a> {
    host: &'a WmiHost,
    facts: &'a HostFacts,
    found: Vec<Residue>,
    /// `InstanceID`s of checkpoints that were told of, or that a living run has.
    told: HashSet<String>,
    /// Files that were told of, in lower case.
    told_files: HashSet<String>,
    /// VMs of living runs: what can be seen on them now is theirs.
    living: HashSet<Uuid>,
    /// VMs whose merge was told of.
    merging: HashSet<Uuid>,
}

impl<'a> Search<'a> {
    fn new(host: &'a WmiHost, facts: &'a HostFacts) -> Self {
        Self {
            host,
            facts,
            found: Vec::new(),
            told: HashSet::new(),
            told_files: HashSet::new(),
            living: HashSet::new(),
            merging: HashSet::new(),
        }
    }

    fn add(&mut self, vm: Option<Uuid>, fixable: bool, finding: Finding) {
        self.found.push(Residue {
            vm: vm.map(|vm| vm.to_string()),
            finding,
            fixable,
        });
    }

    fn recorded(&mut self, recorded: &Recorded) {
        match recorded {
            Recorded::Dead(open) if open.entry().restore.is_some() => self.restore(open),
            Recorded::Living(entry) => {
                self.living.insert(entry.vm);
            }
            Recorded::Unreadable { file, why } => {
                self.add(None, false, findings::journal_unreadable(file, why));
            }
            Recorded::Dead(open) => self.dead(open),
        }
    }

    /// What a restore that died has left.
    fn restore(&mut self, open: &OpenEntry) {
        for (fixable, finding) in restore_residue(&Link::of(self.host), open.entry()) {
            self.add(None, fixable, finding);
        }
    }

    fn dead(&mut self, open: &OpenEntry) {
        let entry = open.entry();
        let facts = self.facts;
        let Some(vm) = facts.vm(entry.vm) else {
            let finding = findings::vm_gone(entry, &open.place());
            self.add(Some(entry.vm), false, finding);
            return;
        };
        let before = self.found.len();
        if entry.replication_paused {
            self.add(Some(vm.id), true, findings::replication_left(entry));
        }
        if entry.found.is_some() {
            self.add(Some(vm.id), true, findings::power_left(entry, vm));
        }
        match find_checkpoint(entry, vm) {
            Found::Nothing => self.dead_reference_point(entry, vm),
            Found::Ours(own) => {
                self.told.insert(own.settings.instance_id.to_lowercase());
                let finding = findings::checkpoint_left(vm, &own, &entry.run);
                self.add(Some(vm.id), true, finding);
            }
            Found::Undecided(undecided) => {
                let ids = undecided
                    .iter()
                    .map(|own| own.settings.instance_id.to_lowercase());
                self.told.extend(ids);
                let finding = findings::checkpoint_undecided(vm, &undecided);
                self.add(Some(vm.id), false, finding);
            }
        }
        let state = merge_state(entry, vm);
        if state != MergeState::Done {
            self.merging.insert(vm.id);
            self.add(Some(vm.id), true, merge_finding(vm, state));
        }
        if !entry.auto_recovery.is_empty() {
            for path in those_there(&Link::of(self.host), entry.auto_recovery.iter().cloned()) {
                self.told_files.insert(path.to_lowercase());
                let finding = findings::auto_recovery_left(&path);
                self.add(Some(vm.id), true, finding);
            }
        }
        if self.found.len() == before {
            let finding = findings::unsettled_entry(entry);
            self.add(Some(vm.id), true, finding);
        }
    }

    fn dead_reference_point(&mut self, entry: &JournalEntry, vm: &VmFacts) {
        match find_reference_point(entry, vm) {
            Found::Nothing => {}
            Found::Ours(own) if entry.reference_point.is_none() || entry.without_cursors => {
                self.add(Some(vm.id), true, findings::reference_point_left(vm, &own));
            }
            Found::Ours(own) if !entry.committed => {
                self.add(
                    Some(vm.id),
                    false,
                    findings::reference_point_waits(vm, &own),
                );
            }
            Found::Ours(_) => {}
            Found::Undecided(undecided) => {
                let finding = findings::reference_point_undecided(vm, &undecided);
                self.add(Some(vm.id), false, finding);
            }
        }
        if entry.committed {
            for id in &entry.obsolete {
                if let Some(own) = vm.reference_point(id) {
                    self.add(Some(vm.id), true, findings::reference_point_left(vm, own));
                }
            }
        }
    }

    /// Checkpoints of backups that no entry knows.
    fn checkpoints(&mut self) {
        for vm in &self.facts.vms {
            if self.living.contains(&vm.id) {
                continue;
            }
            for snapshot in vm.recovery_snapshots() {
                let id = snapshot.settings.instance_id.to_lowercase();
                if self.told.contains(&id) {
                    continue;
                }
                let marked = is_marked(&snapshot.name);
                let finding = if marked {
                    findings::checkpoint_marked(vm, snapshot)
                } else {
                    findings::checkpoint_foreign(vm, snapshot)
                };
                self.add(Some(vm.id), false, finding);
            }
        }
    }

    /// Merges that go on, or should.
    fn merges(&mut self) {
        for vm in &self.facts.vms {
            if self.living.contains(&vm.id) || self.merging.contains(&vm.id) {
                continue;
            }
            let without_checkpoint = vm.snapshots.is_empty()
                && vm
                    .disks
                    .iter()
                    .any(|disk| is_checkpoint_file(&file_name(&disk.path)));
            let state = if vm.operation == Some(VmOperation::MergingDisks) {
                MergeState::Running
            } else if without_checkpoint {
                MergeState::Pending
            } else {
                continue;
            };
            self.add(Some(vm.id), false, merge_finding(vm, state));
        }
    }

    /// Files of checkpoints beside the VMs' disks that nothing uses.
    fn files(&mut self, files: Files<'_>) {
        let Some(bytes) = self.host.bytes.clone() else {
            return;
        };
        let used = match (files, self.used_files()) {
            (Files::Unknown, _) => return,
            (Files::OfCluster(all), Ok(_)) => Ok(all.clone()),
            (_, own) => own,
        };
        let used = match used {
            Ok(used) => used,
            Err(finding) => {
                self.found.push(finding);
                return;
            }
        };
        let folders: HashSet<&str> = used
            .iter()
            .filter_map(|path| Some(path.rsplit_once('\\')?.0))
            .collect();
        let mut orphans = Vec::new();
        for folder in folders {
            orphans.extend(orphans_in(&bytes, folder, &used));
        }
        orphans.retain(|path| !self.told_files.contains(&path.to_lowercase()));
        orphans.sort();
        for path in orphans {
            let finding = if is_auto_recovery(&path) {
                findings::auto_recovery_left(&path)
            } else {
                findings::orphan_file(&path)
            };
            self.add(None, false, finding);
        }
    }

    /// Returns the files that VMs and checkpoints name, in lower case. Between a VM's leaf and its
    /// base each file is some checkpoint's, except while a merge goes on.
    fn used_files(&self) -> Result<HashSet<String>, Residue> {
        let mut used = HashSet::new();
        let mut take = |disks: &[DiskFacts]| {
            used.extend(disks.iter().map(|disk| disk.path.to_lowercase()));
        };
        for vm in &self.facts.vms {
            take(&vm.disks);
            for snapshot in &vm.snapshots {
                take(&self.disks_of(vm, snapshot)?);
            }
        }
        Ok(used)
    }

    fn disks_of(&self, vm: &VmFacts, snapshot: &SnapshotFacts) -> Result<Vec<DiskFacts>, Residue> {
        disks_of_settings(&*self.host.session, &snapshot.path).map_err(|error| {
            let host = self.host.session.host();
            let error = crate::host_failure::host_failure(host, "reading a checkpoint", error);
            Residue {
                vm: Some(vm.identity()),
                finding: findings::not_looked_at(vm, &error),
                fixable: false,
            }
        })
    }
}

fn merge_finding(vm: &VmFacts, state: MergeState) -> Finding {
    let severity = match state {
        MergeState::Running => Severity::Info,
        _ => Severity::Warn,
    };
    merge_goes_on(vm, state, severity)
}
