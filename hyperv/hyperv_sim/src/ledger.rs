//! Everything that exists on the host and that a backup could leave there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::guid::guid_text;
use crate::host_state::HostState;
use crate::replication::SUSPENDED;
use crate::tracking::is_tracking_file;
use crate::vss::is_auto_recovery_file;
use crate::{SimError, SimHost, Vm};

/// What sort of thing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LedgerKind {
    /// A VM; its detail is its name.
    Vm,
    /// A VM that is planned; its detail is its name.
    PlannedVm,
    /// A virtual switch; its detail is its kind.
    Switch,
    /// Whether a VM runs.
    PowerState,
    /// A checkpoint.
    Snapshot,
    /// A reference point.
    ReferencePoint,
    /// Which file a VM's disk is.
    DiskPath,
    /// A differencing disk of a checkpoint: `.avhdx`, `.avhd`.
    CheckpointFile,
    /// `.rct` or `.mrt`.
    TrackingFile,
    /// A configuration or state file.
    ConfigurationFile,
    /// Any other file.
    File,
    /// An image that is attached to the host.
    MountedImage,
    /// A job that has not ended, merging aside.
    Job,
    /// A merge that has not ended.
    Merge,
    /// A VM whose merges are held back.
    HeldBackMerges,
    /// A snapshot of a volume; its detail is the volume.
    VolumeSnapshot,
    /// A backup through VSS that has not ended.
    VssSession,
    /// `X-AutoRecovery.avhdx`.
    AutoRecoveryFile,
    /// A VM whose replication is paused.
    PausedReplication,
}

/// Everything that exists on the host and that a backup could leave there, with what tells two
/// states of it apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    entries: BTreeMap<(LedgerKind, String), String>,
}

/// How a thing differs between two ledgers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerDifference {
    /// What sort of thing it is.
    pub kind: LedgerKind,
    /// Which one.
    pub name: String,
    /// What it was; `None`: it was not there.
    pub before: Option<String>,
    /// What it is; `None`: it is gone.
    pub after: Option<String>,
}

impl SimHost {
    /// Lists everything that exists on the host and that a backup could leave there.
    pub fn ledger(&self) -> Result<Ledger, SimError> {
        self.look(HostState::ledger)
    }
}

impl Ledger {
    /// Lists what differs, by kind.
    pub fn difference(before: &Self, after: &Self) -> Vec<LedgerDifference> {
        let keys: BTreeSet<_> = before.entries.keys().chain(after.entries.keys()).collect();
        let keys = keys.into_iter();
        let differing = keys.filter(|key| before.entries.get(key) != after.entries.get(key));
        differing
            .map(|key| LedgerDifference {
                kind: key.0,
                name: key.1.clone(),
                before: before.entries.get(key).cloned(),
                after: after.entries.get(key).cloned(),
            })
            .collect()
    }

    /// As [`Ledger::difference`], but for what a backup is meant to leave: a reference point, and
    /// Hyper-V's own tracking files.
    pub fn left_behind(before: &Self, after: &Self) -> Vec<LedgerDifference> {
        let mut left = Self::difference(before, after);
        left.retain(|thing| {
            !matches!(
                thing.kind,
                LedgerKind::ReferencePoint | LedgerKind::TrackingFile
            )
        });
        left
    }

    /// Lists the things of a kind: name and state.
    pub fn of_kind(&self, kind: LedgerKind) -> impl Iterator<Item = (&str, &str)> {
        let entries = self.entries.iter();
        let entries = entries.filter(move |((own, _), _)| *own == kind);
        entries.map(|((_, name), detail)| (name.as_str(), detail.as_str()))
    }

    /// Adds what is on another host; `name_file` gives its files their names.
    pub(crate) fn merge(&mut self, other: Self, name_file: impl Fn(&str) -> String) {
        for ((kind, name), detail) in other.entries {
            let name = match kind {
                LedgerKind::CheckpointFile
                | LedgerKind::TrackingFile
                | LedgerKind::ConfigurationFile
                | LedgerKind::File
                | LedgerKind::MountedImage => name_file(&name),
                _ => name,
            };
            self.entries.insert((kind, name), detail);
        }
    }

    fn add(&mut self, kind: LedgerKind, name: impl Into<String>, detail: impl Into<String>) {
        self.entries.insert((kind, name.into()), detail.into());
    }
}

impl fmt::Display for LedgerDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = (self.kind, &self.name);
        match (&self.before, &self.after) {
            (None, Some(after)) => write!(f, "{kind:?} appeared: {name} ({after})"),
            (Some(before), None) => write!(f, "{kind:?} vanished: {name} ({before})"),
            (before, after) => {
                let (before, after) = (before.as_deref(), after.as_deref());
                let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
                write!(f, "{kind:?} changed: {name}: {before} -> {after}")
            }
        }
    }
}

impl Serialize for Ledger {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries = self.entries.iter();
        let rows: Vec<_> = entries
            .map(|((kind, name), detail)| (kind, name, detail))
            .collect();
        rows.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Ledger {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rows = Vec::<(LedgerKind, String, String)>::deserialize(deserializer)?;
        let entries = rows.into_iter();
        Ok(Self {
            entries: entries
                .map(|(kind, name, detail)| ((kind, name), detail))
                .collect(),
        })
    }
}

impl HostState {
    fn ledger(&self) -> Result<Ledger, SimError> {
        let mut ledger = Ledger::default();
        for vm in self.vms.values() {
            list_vm(&mut ledger, vm);
        }
        for planned in self.facts.planned.values() {
            let id = guid_text(planned.vm.id);
            ledger.add(LedgerKind::PlannedVm, id, &planned.vm.name);
        }
        for switch in self.switches() {
            ledger.add(LedgerKind::Switch, &switch.name, switch.kind());
        }
        for image in &self.facts.mounted {
            ledger.add(LedgerKind::MountedImage, &image.path, "attached");
        }
        for copy in &self.facts.vss.shadow_copies {
            ledger.add(LedgerKind::VolumeSnapshot, &copy.device, &copy.mount);
        }
        for session in &self.facts.vss.sessions {
            ledger.add(LedgerKind::VssSession, guid_text(session.id), "");
        }
        for (drive, folder) in crate::drive::drives(self.dir())? {
            list_files(&mut ledger, &folder, &drive)?;
        }
        Ok(ledger)
    }
}

fn list_vm(ledger: &mut Ledger, vm: &Vm) {
    let id = guid_text(vm.id);
    ledger.add(LedgerKind::Vm, &id, &vm.name);
    ledger.add(LedgerKind::PowerState, &id, format!("{:?}", vm.power));
    for snapshot in &vm.snapshots {
        let name = format!("{id} {}", guid_text(snapshot.id));
        let detail = format!("{:?} '{}'", snapshot.kind, snapshot.name);
        ledger.add(LedgerKind::Snapshot, name, detail);
    }
    for point in &vm.reference_points {
        let name = format!("{id} {}", guid_text(point.id));
        ledger.add(LedgerKind::ReferencePoint, name, "");
    }
    for disk in vm.disks.iter().filter(|disk| !disk.path.is_empty()) {
        let name = vm.disk_instance_id(vm.id, disk.slot);
        ledger.add(LedgerKind::DiskPath, name, &disk.path);
    }
    if let Some(job) = vm.active_job() {
        ledger.add(LedgerKind::Job, &id, job.kind.caption());
    }
    if vm.pending_merge().is_some() {
        ledger.add(LedgerKind::Merge, &id, "pending");
    }
    if vm.replication.mode != 0 && vm.replication.state == SUSPENDED {
        ledger.add(LedgerKind::PausedReplication, &id, "");
    }
    if !vm.merges_enabled {
        ledger.add(LedgerKind::HeldBackMerges, &id, "");
    }
}

fn list_files(ledger: &mut Ledger, folder: &Path, host_path: &str) -> Result<(), SimError> {
    let failed = |error| SimError::io(folder.display(), error);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let path = format!("{}\\{name}", host_path.trim_end_matches('\\'));
        if entry.file_type().map_err(failed)?.is_dir() {
            list_files(ledger, &entry.path(), &path)?;
        } else {
            ledger.add(kind_of_file(&name), path, "");
        }
    }
    Ok(())
}

fn kind_of_file(name: &str) -> LedgerKind {
    let extension = name.rsplit('.').next().unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "avhdx" | "avhd" if is_auto_recovery_file(name) => LedgerKind::AutoRecoveryFile,
        "avhdx" | "avhd" => LedgerKind::CheckpointFile,
        _ if is_tracking_file(name) => LedgerKind::TrackingFile,
        "vmcx" | "vmrs" | "vmgs" | "xml" | "bin" | "vsv" => LedgerKind::ConfigurationFile,
        _ => LedgerKind::File,
    }
}
