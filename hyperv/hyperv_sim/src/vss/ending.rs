//! How a backup ends: completed, aborted, or with its requester.

use std::fmt::Write as _;

use uuid::Uuid;
use vss::{VssError, VssStep, WriterState};

use super::failure::of_host;
use super::session::{Phase, Session, bad_state};
use super::strike::VssStrike;
use crate::host_state::HostState;
use crate::{SimError, TraceKind};

impl HostState {
    /// Lets writers know that making the snapshots failed; all that the backup can do then is to be
    /// aborted.
    pub(crate) fn snapshot_failed(&mut self, id: Uuid) -> Result<(), SimError> {
        let step = VssStep::Snapshot;
        let Ok(session) = self.session_mut(id, step) else {
            return Ok(());
        };
        session.phase = Phase::Failed;
        if session.with_writers {
            self.trace(None, TraceKind::Abort);
        }
        self.release_vms(id)?;
        self.delete_shadow_copies(id);
        Ok(())
    }

    /// `AbortBackup`, and all that goes with the backup.
    pub(crate) fn abort_session(&mut self, id: Uuid) -> Result<(), SimError> {
        let sessions = &self.facts.vss.sessions;
        let Some(session) = sessions.iter().find(|own| own.id == id) else {
            return Ok(());
        };
        let told = matches!(session.phase, Phase::Completed | Phase::Failed);
        if session.with_writers && !told {
            self.trace(None, TraceKind::Abort);
        }
        self.end_session(id)
    }

    /// Gives back what a backup holds, removes its snapshots, and forgets it.
    pub(crate) fn end_session(&mut self, id: Uuid) -> Result<(), SimError> {
        self.release_vms(id)?;
        self.delete_shadow_copies(id);
        self.forget_session(id)
    }

    /// `BackupComplete`. VMs whose backup succeeded remember the time. Contract: 10 [M]
    pub(crate) fn complete_session(
        &mut self,
        id: Uuid,
        strike: &VssStrike,
    ) -> Result<(), VssError> {
        let step = VssStep::Complete;
        let session = self.session(id, step)?;
        session.check_phase(step, &[Phase::Snapped])?;
        let with_writers = session.with_writers;
        let well = session.components.iter().filter(|own| own.succeeded);
        let well: Vec<Uuid> = well.filter_map(|own| own.vm).map(|(vm, _)| vm).collect();
        if with_writers {
            self.trace(None, TraceKind::BackupComplete);
        }
        let now = self.now;
        for vm in well {
            if let Ok(vm) = self.vm_mut(vm) {
                vm.last_backup = Some(now);
            }
        }
        let session = self.session_mut(id, step)?;
        session.phase = Phase::Completed;
        if let Some(code) = strike.writer {
            let message = format!("the writer failed (0x{code:08X})");
            let at = WriterState::FailedAtBackupComplete;
            session.writer.fail(at, code, Some(message));
        }
        session.writer.go_on(WriterState::Stable);
        Ok(())
    }

    /// `DeleteSnapshots` of the set.
    pub(crate) fn delete_set(&mut self, id: Uuid) -> Result<(), VssError> {
        let step = VssStep::DeleteSet;
        let session = self.session(id, step)?;
        session.check_phase(step, &[Phase::Snapped, Phase::Completed])?;
        self.delete_shadow_copies(id);
        Ok(())
    }

    /// `SaveAsXML`.
    pub(crate) fn document(&self, id: Uuid) -> Result<String, VssError> {
        let step = VssStep::Document;
        let session = self.session(id, step)?;
        if session.phase < Phase::Prepared || session.phase == Phase::Failed {
            return Err(bad_state(step));
        }
        let mut text = String::from(
            "<BACKUP_COMPONENTS xmlns=\"x-schema:#VssComponentMetadata\" version=\"1.2\" \
             bootableSystemStateBackup=\"no\" selectComponents=\"yes\" partialFileSupport=\"no\"",
        );
        let set = session.set.unwrap_or_default();
        let written = write!(text, " snapshotSetId=\"{set}\">");
        let written = written.and_then(|()| write_components(self, session, &mut text));
        text.push_str("</BACKUP_COMPONENTS>");
        let nonsense = |_| SimError::new(crate::SimErrorKind::Failed, "the document is too long");
        written
            .map_err(nonsense)
            .map_err(|error| of_host(step, &error))?;
        Ok(text)
    }
}

fn write_components(
    state: &HostState,
    session: &Session,
    text: &mut String,
) -> Result<(), std::fmt::Error> {
    let mut writers: Vec<Uuid> = session.components.iter().map(|own| own.writer).collect();
    writers.dedup();
    for writer in writers {
        let instance = state.component_id(writer, "").instance;
        write!(
            text,
            "<WRITER_COMPONENTS instanceId=\"{instance}\" writerId=\"{writer}\" \
             backupSchema=\"0\">"
        )?;
        for own in session.components.iter().filter(|own| own.writer == writer) {
            let succeeded = if own.succeeded { "yes" } else { "no" };
            write!(
                text,
                "<COMPONENT componentName=\"{}\" componentType=\"filegroup\" \
                 backupSucceeded=\"{succeeded}\"",
                own.name
            )?;
            // The writer notes where the VM is, and finds it there when it is restored.
            let vm = own.vm.and_then(|(vm, _)| state.vms.get(&vm));
            if let Some(vm) = vm {
                let root = quick_xml::escape::escape(vm.config_root.as_str());
                write!(text, " backupMetadata=\"{root}\"")?;
            }
            text.push_str("/>");
        }
        text.push_str("</WRITER_COMPONENTS>");
    }
    Ok(())
}
