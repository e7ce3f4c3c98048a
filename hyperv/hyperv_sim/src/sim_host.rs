//! A simulated host in a folder.

use std::path::{Path, PathBuf};

use crate::host_state::HostState;
use crate::{SimError, SimErrorKind, SimOptions};

/// A host that does not exist, in a folder that does.
///
/// Several threads and several programs may use one folder at once: each operation takes the lock
/// of the folder, reads what others have changed, does its work and saves.
pub struct SimHost {
    dir: PathBuf,
}

impl SimHost {
    /// Makes a new host in a folder that is empty or not there.
    pub fn create(dir: &Path, _options: SimOptions) -> Result<Self, SimError> {
        Ok(Self {
            dir: dir.to_owned(),
        })
    }

    /// Opens a host.
    pub fn open(dir: &Path) -> Result<Self, SimError> {
        Ok(Self {
            dir: dir.to_owned(),
        })
    }

    /// Returns the folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Does something with the host: with the folder locked, after the clock moved by a
    /// millisecond and what came due was done. What is changed is saved, also after an error.
    pub(crate) fn act<T>(
        &self,
        _work: impl FnOnce(&mut HostState) -> Result<T, SimError>,
    ) -> Result<T, SimError> {
        Err(SimError::new(
            SimErrorKind::NotSupported,
            "this is not there yet",
        ))
    }

    /// Looks at the host, as [`SimHost::act`] does.
    pub(crate) fn look<T>(
        &self,
        look: impl FnOnce(&HostState) -> Result<T, SimError>,
    ) -> Result<T, SimError> {
        self.act(|state| look(state))
    }
}
