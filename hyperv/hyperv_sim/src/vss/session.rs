//! What the host knows of backups through VSS: part of `host.json`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vss::{VssError, VssErrorKind, VssStep, WriterState};

use super::failure::{BAD_STATE, failure};
use super::method::Method;
use super::provider::HardwareProvider;
use super::restore::RestoreSession;
use super::shadow_copy::ShadowCopy;
use crate::PowerState;
use crate::host_state::HostState;

/// What the host knows of VSS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct VssState {
    /// Backups that have not ended.
    pub(crate) sessions: Vec<Session>,
    /// Restores that have not ended.
    pub(crate) restores: Vec<RestoreSession>,
    /// Snapshots of volumes.
    pub(crate) shadow_copies: Vec<ShadowCopy>,
    /// The number that the last snapshot's device got.
    pub(crate) last_device: u32,
    /// Providers of storage arrays.
    pub(crate) hardware_providers: Vec<HardwareProvider>,
    /// Volumes, by GUID, that cannot be snapped.
    pub(crate) volumes_without_vss: Vec<Uuid>,
    /// Another requester makes snapshots until then.
    pub(crate) others_set_until: Option<Timestamp>,
}

/// A backup that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    /// Its id; also what names the file that says whether the requester lives.
    pub(crate) id: Uuid,
    /// Writers take part.
    pub(crate) with_writers: bool,
    /// The writers that do, by class; empty: all.
    pub(crate) only: Vec<Uuid>,
    /// How far it is.
    pub(crate) phase: Phase,
    /// VMs and how they would be backed up, as the writer said when it was asked.
    pub(crate) offered: Vec<(Uuid, Method)>,
    /// What was chosen.
    pub(crate) components: Vec<Selected>,
    /// The set of snapshots.
    pub(crate) set: Option<Uuid>,
    /// Volumes of the set.
    pub(crate) volumes: Vec<SetVolume>,
    /// Where the writer of Hyper-V is.
    pub(crate) writer: WriterProgress,
}

/// How far a backup is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Phase {
    /// Begun.
    Begun,
    /// Writers told of themselves.
    Gathered,
    /// Writers know what is to be backed up.
    Prepared,
    /// Between `PrepareForSnapshot` and `PostSnapshot`.
    Snapping,
    /// The snapshots are there.
    Snapped,
    /// The writers were told of the end.
    Completed,
    /// Making the snapshots failed: it can only be aborted.
    Failed,
}

/// A component that was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Selected {
    /// The writer.
    pub(crate) writer: Uuid,
    /// Its name in calls.
    pub(crate) name: String,
    /// The VM that it is, with how it is backed up.
    pub(crate) vm: Option<(Uuid, Method)>,
    /// It was backed up, says the requester.
    pub(crate) succeeded: bool,
    /// Why it failed.
    pub(crate) failure: Option<u32>,
    /// What the writer did to the VM and has to undo.
    pub(crate) held: Held,
}

/// What the writer did to a VM and has to undo.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Held {
    /// The job that keeps the VM from doing anything else.
    pub(crate) job: Option<Uuid>,
    /// The writer's checkpoint.
    pub(crate) checkpoint: Option<Uuid>,
    /// Files that the checkpoint froze.
    pub(crate) frozen: Vec<String>,
    /// The state that the VM was found in, where it was saved or paused.
    pub(crate) power: Option<PowerState>,
}

/// A volume of a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SetVolume {
    /// The id that its snapshot gets.
    pub(crate) snapshot: Uuid,
    /// The volume's name.
    pub(crate) name: String,
    /// Who snaps it.
    pub(crate) provider: Uuid,
}

/// Where the writer of Hyper-V is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WriterProgress {
    /// The number of its state (contract 5.2).
    pub(crate) state: u32,
    /// Why it failed; 0: it did not.
    pub(crate) failure: u32,
    /// What it says of that.
    pub(crate) message: Option<String>,
    /// Components that failed alone.
    pub(crate) failed_components: Vec<(String, u32)>,
}

impl Default for WriterProgress {
    fn default() -> Self {
        Self {
            state: 1,
            failure: 0,
            message: None,
            failed_components: Vec::new(),
        }
    }
}

impl WriterProgress {
    /// Returns whether it failed as a whole.
    pub(crate) fn has_failed(&self) -> bool {
        self.state >= 6
    }

    /// Lets it fail as a whole, unless it did before.
    pub(crate) fn fail(&mut self, at: WriterState, code: u32, message: Option<String>) {
        if !self.has_failed() {
            self.state = number_of(at);
            self.failure = code;
            self.message = message;
        }
    }

    /// Goes on to a state, unless it failed.
    pub(crate) fn go_on(&mut self, to: WriterState) {
        if !self.has_failed() {
            self.state = number_of(to);
        }
    }
}

/// Returns the number of a writer's state (contract 5.2).
fn number_of(state: WriterState) -> u32 {
    (0..=15)
        .find(|number| WriterState::of(*number) == state)
        .unwrap_or(0)
}

impl Session {
    /// Fails unless the backup is in one of these phases.
    pub(crate) fn check_phase(&self, step: VssStep, allowed: &[Phase]) -> Result<(), VssError> {
        if allowed.contains(&self.phase) {
            return Ok(());
        }
        Err(bad_state(step))
    }

    /// Lists the VMs of the components that were chosen.
    pub(crate) fn vms(&self) -> Vec<Uuid> {
        let vms = self.components.iter().filter_map(|own| own.vm);
        vms.map(|(vm, _)| vm).collect()
    }

    /// Returns whether it is the one that makes snapshots now.
    pub(crate) fn is_making_snapshots(&self) -> bool {
        self.set.is_some() && self.phase < Phase::Snapped
    }
}

impl HostState {
    /// Returns a backup; one that has ended is in no state for any call.
    pub(crate) fn session(&self, id: Uuid, step: VssStep) -> Result<&Session, VssError> {
        let mut sessions = self.facts.vss.sessions.iter();
        sessions
            .find(|own| own.id == id)
            .ok_or_else(|| bad_state(step))
    }

    /// Returns a backup to be changed.
    pub(crate) fn session_mut(
        &mut self,
        id: Uuid,
        step: VssStep,
    ) -> Result<&mut Session, VssError> {
        let mut sessions = self.facts_mut().vss.sessions.iter_mut();
        sessions
            .find(|own| own.id == id)
            .ok_or_else(|| bad_state(step))
    }
}

/// It is not the time for this call.
pub(crate) fn bad_state(step: VssStep) -> VssError {
    failure(
        VssErrorKind::BadState,
        step,
        BAD_STATE,
        "the backup is not in a state for this call",
    )
}
