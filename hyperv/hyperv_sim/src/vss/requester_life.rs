//! Whether requesters live: each backup has a file that its requester keeps locked.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::guid::guid_text;
use crate::host_folder::remove_if_there;
use crate::host_state::HostState;
use crate::{SimError, SimHost, TraceKind};

/// What says that a requester lives, for as long as this is kept.
#[derive(Debug)]
pub(crate) struct RequesterLife {
    _locked: File,
}

impl RequesterLife {
    /// Makes the file of a backup and locks it.
    pub(crate) fn begin(dir: &Path, session: Uuid) -> Result<Self, SimError> {
        let path = life_file(dir, session);
        let failed = |error| SimError::io(path.display(), error);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let file = File::create(&path).map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(Self { _locked: file })
    }
}

fn life_file(dir: &Path, session: Uuid) -> PathBuf {
    dir.join("vss").join(guid_text(session))
}

/// Returns whether somebody keeps the file of a backup locked.
fn lives(dir: &Path, session: Uuid) -> bool {
    File::open(life_file(dir, session)).is_ok_and(|file| file.try_lock().is_err())
}

impl SimHost {
    /// Lets all requesters die now, as if their programs were killed: their backups end.
    pub fn vss_requester_dies(&self) -> Result<(), SimError> {
        self.act(|state| {
            let sessions = state.facts.vss.sessions.iter();
            let ids: Vec<Uuid> = sessions.map(|session| session.id).collect();
            ids.into_iter().try_for_each(|id| state.requester_dies(id))
        })
    }
}

impl HostState {
    /// Ends the backups of requesters that died since.
    pub(crate) fn bury_dead_requesters(&mut self) -> Result<(), SimError> {
        if self.facts.vss.sessions.is_empty() {
            return Ok(());
        }
        let sessions = self.facts.vss.sessions.iter().map(|session| session.id);
        let dead: Vec<Uuid> = sessions.filter(|id| !lives(self.dir(), *id)).collect();
        dead.into_iter().try_for_each(|id| self.requester_dies(id))
    }

    /// Ends the backup of a requester that died: the writer gives back what it holds, and the
    /// snapshots go.
    pub(crate) fn requester_dies(&mut self, session: Uuid) -> Result<(), SimError> {
        let sessions = &self.facts.vss.sessions;
        if !sessions.iter().any(|own| own.id == session) {
            return Ok(());
        }
        self.trace(None, TraceKind::RequesterDied);
        if self.facts.behavior.leaves_auto_recovery_files {
            self.leave_auto_recovery_files(session)?;
        }
        self.end_session(session)
    }

    /// Forgets a backup, whatever it held.
    pub(crate) fn forget_session(&mut self, session: Uuid) -> Result<(), SimError> {
        let sessions = &mut self.facts_mut().vss.sessions;
        sessions.retain(|own| own.id != session);
        remove_if_there(&life_file(self.dir(), session))
    }
}
