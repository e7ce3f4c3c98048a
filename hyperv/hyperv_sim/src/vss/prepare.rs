//! Beginning a backup and its set of snapshots, up to `PrepareForBackup`.

use uuid::Uuid;
use vss::{BackupType, RequestOptions, SnapshotKind, VssError, VssErrorKind, VssStep, WriterState};

use super::failure::{
    MAXIMUM_NUMBER_OF_VOLUMES, NON_RETRYABLE, OBJECT_ALREADY_EXISTS, SNAPSHOT_SET_IN_PROGRESS,
    VOLUME_NOT_SUPPORTED, failure, failure_of_code, of_host,
};
use super::hold::VmFailure;
use super::session::{Phase, Session, SetVolume, WriterProgress, bad_state};
use super::snap_volume::no_volume;
use super::strike::VssStrike;
use crate::host_state::HostState;
use crate::{SimError, SimHost, TraceKind};

/// `MAX_VOLUMES_IN_SNAPSHOT_SET`. Contract: 5.2 [M]
const VOLUMES_MAX: usize = 64;

impl SimHost {
    /// Lets another requester make snapshots for a while: `StartSnapshotSet` is refused.
    pub fn keep_vss_busy(&self, duration: std::time::Duration) -> Result<(), SimError> {
        self.act(|state| {
            let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
            let until = crate::clock::later(state.now, millis);
            state.facts_mut().vss.others_set_until = Some(until);
            Ok(())
        })
    }
}

impl HostState {
    /// Begins a backup; returns its id.
    pub(crate) fn begin_session(&mut self, options: &RequestOptions) -> Uuid {
        let id = self.new_guid();
        // What applications in guests do with their logs is not simulated.
        let (BackupType::Full | BackupType::Copy) = options.backup_type;
        let session = Session {
            id,
            with_writers: options.kind == SnapshotKind::Backup,
            only: options.writers.clone(),
            phase: Phase::Begun,
            offered: Vec::new(),
            components: Vec::new(),
            set: None,
            volumes: Vec::new(),
            writer: WriterProgress::default(),
        };
        self.facts_mut().vss.sessions.push(session);
        self.trace(None, TraceKind::BackupBegun);
        id
    }

    /// `StartSnapshotSet`.
    pub(crate) fn start_set(&mut self, id: Uuid) -> Result<Uuid, VssError> {
        let step = VssStep::StartSet;
        let session = self.session(id, step)?;
        let early = !session.with_writers && session.phase == Phase::Begun;
        if session.set.is_some() || !(early || session.phase == Phase::Gathered) {
            return Err(bad_state(step));
        }
        let vss = &self.facts.vss;
        let others = vss.others_set_until.is_some_and(|until| self.now < until);
        if others || vss.sessions.iter().any(Session::is_making_snapshots) {
            return Err(failure_of_code(step, SNAPSHOT_SET_IN_PROGRESS));
        }
        let set = self.new_guid();
        let session = self.session_mut(id, step)?;
        session.set = Some(set);
        session.phase = Phase::Gathered;
        Ok(set)
    }

    /// `AddToSnapshotSet`.
    pub(crate) fn add_set_volume(
        &mut self,
        id: Uuid,
        name: &str,
        provider: Option<Uuid>,
    ) -> Result<Uuid, VssError> {
        let step = VssStep::AddVolume;
        let session = self.session(id, step)?;
        session.check_phase(step, &[Phase::Gathered, Phase::Prepared])?;
        if session.set.is_none() {
            return Err(bad_state(step));
        }
        let volume = self.snap_volume_named(name);
        let volume = volume.ok_or_else(|| of_host(step, &no_volume(name)))?;
        if session.volumes.iter().any(|own| own.name == volume.name) {
            return Err(failure(
                VssErrorKind::Other,
                step,
                OBJECT_ALREADY_EXISTS,
                format!("{} is in the set already", volume.mount),
            ));
        }
        if session.volumes.len() >= VOLUMES_MAX {
            return Err(failure_of_code(step, MAXIMUM_NUMBER_OF_VOLUMES));
        }
        let without = &self.facts.vss.volumes_without_vss;
        if !volume.has_vss || without.contains(&volume.id) {
            return Err(failure(
                VssErrorKind::NotSupported,
                step,
                VOLUME_NOT_SUPPORTED,
                format!("{} cannot be snapped", volume.mount),
            ));
        }
        self.check_is_allowed(&volume, step)?;
        let provider = self.choose_provider(&volume.mount, volume.kind, provider)?;
        let snapshot = self.new_guid();
        self.session_mut(id, step)?.volumes.push(SetVolume {
            snapshot,
            name: volume.name,
            provider,
        });
        Ok(snapshot)
    }

    /// `PrepareForBackup`.
    pub(crate) fn prepare_for_backup(
        &mut self,
        id: Uuid,
        strike: &VssStrike,
    ) -> Result<(), VssError> {
        let step = VssStep::Prepare;
        let session = self.session(id, step)?;
        session.check_phase(step, &[Phase::Gathered])?;
        if session.volumes.is_empty() {
            return Err(bad_state(step));
        }
        let (with_writers, vms) = (session.with_writers, session.vms());
        let session = self.session_mut(id, step)?;
        session.phase = Phase::Prepared;
        if !with_writers {
            return Ok(());
        }
        self.trace(None, TraceKind::PrepareForBackup);
        let at = WriterState::FailedAtPrepareBackup;
        for vm in vms {
            let done = match self.vm(vm) {
                Ok(_) => Ok(()),
                Err(error) => Err(VmFailure::new(NON_RETRYABLE, error.to_string())),
            };
            let of_vm = VssStrike {
                component: strike.component,
                ..VssStrike::default()
            };
            self.note_outcome(id, vm, at, done, &of_vm)?;
        }
        if let Some(code) = strike.writer {
            let writer = &mut self.session_mut(id, step)?.writer;
            writer.fail(at, code, Some(format!("the writer failed (0x{code:08X})")));
        }
        Ok(())
    }
}
