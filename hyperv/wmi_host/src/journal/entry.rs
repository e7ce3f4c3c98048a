//! What is written down of one run of one VM.

use hyperv_host::PowerState;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An entry is never larger, in bytes.
pub(super) const ENTRY_BYTES_MAX: usize = 1 << 20;
/// The version of a backup's entry.
const VERSION: u32 = 1;
/// The version of a restore's entry: programs that know of backups alone leave it where it is.
const VERSION_OF_RESTORES: u32 = 2;

/// What is written down of one run of one VM.
///
/// Each field is written before the host is asked for what it tells of, or, where the host makes
/// up a name, right after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JournalEntry {
    version: u32,
    /// The host, as its session names it.
    pub(crate) host: String,
    /// The computer that this host says that it is, whatever name it was reached by; empty in
    /// entries of older programs.
    #[serde(default)]
    pub(crate) computer: String,
    /// The VM.
    pub(crate) vm: Uuid,
    /// Its name then, for people.
    pub(crate) vm_name: String,
    /// The run.
    pub(crate) run: String,
    /// Id of the repository that the run's point goes to.
    #[serde(default)]
    pub(crate) repository: String,
    /// What was there before the checkpoint.
    pub(crate) before: Before,
    /// A checkpoint was asked for at this time, and how that ended is not known: `None` before,
    /// and once it is known.
    #[serde(default)]
    pub(crate) asked: Option<Timestamp>,
    /// The job that makes the checkpoint, where it did not end in time.
    #[serde(default)]
    pub(crate) job: Option<String>,
    /// `InstanceID` of the checkpoint.
    #[serde(default)]
    pub(crate) snapshot: Option<String>,
    /// The checkpoint that the host's VSS writer made is gone, and its merge perhaps not done.
    #[serde(default)]
    pub(crate) merging: bool,
    /// The checkpoint is about to become a reference point, or has.
    #[serde(default)]
    pub(crate) converting: bool,
    /// `InstanceID` of the reference point.
    #[serde(default)]
    pub(crate) reference_point: Option<String>,
    /// No disk of the run's point has a cursor: its reference point is of no use.
    #[serde(default)]
    pub(crate) without_cursors: bool,
    /// `InstanceID`s of reference points of ours that nobody needs once the run's point exists.
    #[serde(default)]
    pub(crate) obsolete: Vec<String>,
    /// The run's point exists.
    #[serde(default)]
    pub(crate) committed: bool,
    /// What the VM was doing before it was saved for the run; `None`: it was not, or it is doing it
    /// again.
    #[serde(default)]
    pub(crate) found: Option<FoundState>,
    /// Saving the VM was asked for at this time, and how that ended is not known: the save may
    /// still come about, so [`found`](Self::found) stays owed. `None` before, and once it is known.
    #[serde(default)]
    pub(crate) save_asked: Option<Timestamp>,
    /// The VM's replication is paused by the run, or about to be.
    #[serde(default)]
    pub(crate) replication_paused: bool,
    /// Pausing it was asked for at this time, and how that ended is not known: it may still come
    /// about. `None` before, and once it is known.
    #[serde(default)]
    pub(crate) pause_asked: Option<Timestamp>,
    /// Files that the host's VSS writer may leave beside the VM's disks, none of which was there
    /// before: they stand in the way of the next backup.
    #[serde(default)]
    pub(crate) auto_recovery: Vec<String>,
    /// When the writer was asked that may leave them, by this machine's clock, as files' times are.
    #[serde(default)]
    pub(crate) writer_asked: Option<Timestamp>,
    /// What a restore makes; `None`: the run is a backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) restore: Option<RestoreEntry>,
}

/// What a restore is about to make on a host, or has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RestoreEntry {
    /// GUIDs of the planned VMs that were there before.
    pub(crate) planned_before: Vec<Uuid>,
    /// GUIDs of the VMs that were there before.
    pub(crate) vms_before: Vec<Uuid>,
    /// The GUID that the VM will have, where it keeps its own and that is known.
    #[serde(default)]
    pub(crate) expected: Option<Uuid>,
    /// The folder that the VM's definition is to lie in.
    pub(crate) configuration_folder: String,
    /// It is made as it is; `false`: by way of a planned VM.
    pub(crate) is_direct: bool,
    /// It was asked for at this time, by the host's clock.
    #[serde(default)]
    pub(crate) asked: Option<Timestamp>,
    /// GUID of the planned VM, or of the VM.
    #[serde(default)]
    pub(crate) made: Option<Uuid>,
    /// The planned VM is about to become one that people see, or has.
    #[serde(default)]
    pub(crate) realizing: bool,
    /// The host's VSS writer takes the VM from the host, and registers it again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) through_writer: bool,
}

/// What a VM was doing before it was saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FoundState {
    /// It ran.
    Running,
    /// It was paused.
    Paused,
}

impl FoundState {
    /// Returns what has to be given back to a VM, where saving it takes anything away.
    pub(crate) fn of(power: PowerState) -> Option<Self> {
        match power {
            PowerState::Running => Some(Self::Running),
            PowerState::Paused => Some(Self::Paused),
            _ => None,
        }
    }
}

/// What was there before a checkpoint was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Before {
    /// `InstanceID`s of all checkpoints of the VM.
    pub(crate) snapshots: Vec<String>,
    /// `InstanceID`s of all its reference points.
    pub(crate) reference_points: Vec<String>,
    /// The files that it wrote to.
    pub(crate) leaves: Vec<String>,
}

impl JournalEntry {
    /// Makes the entry of a run that has asked for nothing yet.
    pub(crate) fn new(host: &str, vm: Uuid, vm_name: &str, run: &str) -> Self {
        Self {
            version: VERSION,
            host: host.to_owned(),
            computer: String::new(),
            vm,
            vm_name: vm_name.chars().take(200).collect(),
            run: run.chars().take(200).collect(),
            repository: String::new(),
            before: Before::default(),
            asked: None,
            job: None,
            snapshot: None,
            merging: false,
            converting: false,
            reference_point: None,
            without_cursors: false,
            obsolete: Vec::new(),
            committed: false,
            found: None,
            save_asked: None,
            replication_paused: false,
            pause_asked: None,
            auto_recovery: Vec::new(),
            writer_asked: None,
            restore: None,
        }
    }

    /// Makes the entry of a restore that has asked for nothing yet.
    pub(crate) fn of_restore(
        host: &str,
        vm: Uuid,
        vm_name: &str,
        run: &str,
        restore: RestoreEntry,
    ) -> Self {
        Self {
            version: VERSION_OF_RESTORES,
            restore: Some(restore),
            ..Self::new(host, vm, vm_name, run)
        }
    }

    /// Reads an entry, or says why that cannot be done.
    pub(super) fn read(text: &[u8]) -> Result<Self, String> {
        if text.len() > ENTRY_BYTES_MAX {
            return Err(format!(
                "expected at most {ENTRY_BYTES_MAX} bytes, found {}",
                text.len()
            ));
        }
        let entry: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let version = match entry.restore {
            Some(_) => VERSION_OF_RESTORES,
            None => VERSION,
        };
        if entry.version != version {
            return Err(format!(
                "expected version {version}, found {}: a newer program wrote it",
                entry.version
            ));
        }
        Ok(entry)
    }

    /// Writes the entry, or says why that cannot be done.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let bytes = serde_json::to_vec_pretty(self).map_err(|error| error.to_string())?;
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(format!(
                "the VM has more checkpoints and reference points than fit {ENTRY_BYTES_MAX} bytes"
            ));
        }
        Ok(bytes)
    }

    /// Returns whether the host was never asked for anything that is not undone.
    pub(crate) fn is_untouched(&self) -> bool {
        if let Some(restore) = &self.restore {
            return restore.asked.is_none();
        }
        let asked = self.asked.is_some() || self.job.is_some();
        let made = self.snapshot.is_some()
            || self.merging
            || self.reference_point.is_some()
            || self.converting;
        let owes = self.committed && !self.obsolete.is_empty();
        let takes =
            self.replication_paused || self.found.is_some() || !self.auto_recovery.is_empty();
        !asked && !made && !owes && !takes
    }
}

impl Before {
    /// Returns whether a checkpoint was there.
    pub(crate) fn has_snapshot(&self, instance_id: &str) -> bool {
        holds(&self.snapshots, instance_id)
    }

    /// Returns whether a reference point was there.
    pub(crate) fn has_reference_point(&self, instance_id: &str) -> bool {
        holds(&self.reference_points, instance_id)
    }
}

fn holds(ids: &[String], id: &str) -> bool {
    ids.iter().any(|own| own.eq_ignore_ascii_case(id))
}
