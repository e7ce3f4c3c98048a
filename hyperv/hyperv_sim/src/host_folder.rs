//! The folder of a simulated host: who may change it, and what lies in it.
//!
//! ```text
//!   lock           the folder's lock; one line: generation, clock, numbers drawn
//!   host.json      what the host knows besides its VMs
//!   vms/<GUID>.json
//!   drives/C/…     the host's C:\
//!   shadows/…      snapshots of volumes
//!   vss/<GUID>     locked by whoever makes a backup through VSS
//!   trace          what happened, a line each
//! ```
//!
//! The line in `lock` changes with every operation, the other files only when what they hold does.
//! The generation counts those changes: who knows an older one reads anew.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::drive::drive_folder;
use crate::folder_lock::{FolderLock, HeldLock, Record};
use crate::guid::guid_text;
use crate::host_state::{HostFacts, HostState, Unsaved};
use crate::{SimError, SimErrorKind, Vm};

/// The folder of a simulated host.
pub(crate) struct HostFolder {
    dir: PathBuf,
    lock: FolderLock,
}

/// The folder, locked against everybody else until this is dropped.
pub(crate) struct LockedFolder<'a> {
    folder: &'a HostFolder,
    lock: HeldLock<'a>,
}

impl HostFolder {
    /// Makes the folder of a new host.
    pub(crate) fn create(dir: &Path) -> Result<Self, SimError> {
        let failed = |error| SimError::io(dir.display(), error);
        fs::create_dir_all(dir).map_err(failed)?;
        if fs::read_dir(dir).map_err(failed)?.next().is_some() {
            return Err(SimError::new(
                SimErrorKind::Storage,
                format!(
                    "{} is not empty: a new host needs a folder of its own",
                    dir.display()
                ),
            ));
        }
        fs::create_dir_all(dir.join("vms")).map_err(failed)?;
        fs::create_dir_all(drive_folder(dir, 'C')).map_err(failed)?;
        fs::write(dir.join("lock"), "").map_err(failed)?;
        Self::open(dir)
    }

    /// Opens the folder of a host.
    pub(crate) fn open(dir: &Path) -> Result<Self, SimError> {
        Ok(Self {
            dir: dir.to_owned(),
            lock: FolderLock::open(dir, "simulated host")?,
        })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Waits for the folder's lock.
    pub(crate) fn lock(&self) -> Result<LockedFolder<'_>, SimError> {
        Ok(LockedFolder {
            folder: self,
            lock: self.lock.hold()?,
        })
    }
}

impl LockedFolder<'_> {
    /// Reads the line in `lock`.
    pub(crate) fn record(&self) -> Result<Record, SimError> {
        self.lock.record()
    }

    /// Removes a VM that is another node's now; returns the generation that the folder has then.
    pub(crate) fn forget_vm(&self, vm: Uuid) -> Result<u64, SimError> {
        let name = format!("{}.json", guid_text(vm));
        remove_if_there(&self.folder.dir.join("vms").join(name))?;
        let record = self.lock.record()?;
        let generation = record.generation + 1;
        self.lock.write(Record {
            generation,
            ..record
        })?;
        Ok(generation)
    }

    /// Reads everything.
    pub(crate) fn load(&self) -> Result<HostState, SimError> {
        let dir = &self.folder.dir;
        let record = self.record()?;
        let facts: HostFacts = read_json(&dir.join("host.json"))?;
        let mut state = HostState::loaded(dir.clone(), facts);
        let vms = dir.join("vms");
        let entries = fs::read_dir(&vms).map_err(|error| SimError::io(vms.display(), error))?;
        for entry in entries {
            let path = entry
                .map_err(|error| SimError::io(vms.display(), error))?
                .path();
            if path
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                let vm: Vm = read_json(&path)?;
                state.vms.insert(vm.id, vm);
            }
        }
        state.now = record.now;
        state.drawn = record.drawn;
        Ok(state)
    }

    /// Writes what is not on disk yet; returns the generation that the folder has then.
    pub(crate) fn save(&self, state: &mut HostState, generation: u64) -> Result<u64, SimError> {
        let dir = &self.folder.dir;
        let Unsaved { facts, vms, trace } = std::mem::take(&mut state.unsaved);
        let generation = generation + u64::from(facts || !vms.is_empty());
        for id in vms {
            let path = dir.join("vms").join(format!("{}.json", guid_text(id)));
            match state.vms.get(&id) {
                Some(vm) => write_json(&path, vm)?,
                None => remove_if_there(&path)?,
            }
        }
        if facts {
            write_json(&dir.join("host.json"), &state.facts)?;
        }
        crate::trace::append(dir, &trace)?;
        self.lock.write(Record {
            generation,
            now: state.now,
            drawn: state.drawn,
        })?;
        // Only now does nobody need these any more.
        for path in std::mem::take(&mut state.doomed_files) {
            remove_if_there(&path)?;
        }
        for folder in std::mem::take(&mut state.doomed_folders) {
            crate::vss::remove_tree(&folder)?;
        }
        Ok(generation)
    }
}

pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, SimError> {
    let bytes = fs::read(path).map_err(|error| SimError::io(path.display(), error))?;
    serde_json::from_slice(&bytes).map_err(|error| nonsense(path, &error.to_string()))
}

/// Replaces a file as a whole, so that no reader and no crash of this program sees half of it.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), SimError> {
    let bytes = serde_json::to_vec(value).map_err(|error| nonsense(path, &error.to_string()))?;
    let partial = path.with_extension("partial");
    let failed = |error| SimError::io(path.display(), error);
    fs::write(&partial, bytes).map_err(failed)?;
    fs::rename(&partial, path).map_err(failed)
}

/// Removes a file unless it is gone already.
pub(crate) fn remove_if_there(path: &Path) -> Result<(), SimError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(SimError::io(path.display(), error))
        }
        _ => Ok(()),
    }
}

fn nonsense(path: &Path, why: &str) -> SimError {
    SimError::new(
        SimErrorKind::Storage,
        format!("{} cannot be understood: {why}", path.display()),
    )
}
