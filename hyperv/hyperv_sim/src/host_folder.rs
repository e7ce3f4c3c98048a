//! The folder of a simulated host: who may change it, and what lies in it.
//!
//! ```text
//!   lock           the folder's lock; one line: generation, clock, numbers drawn
//!   host.json      what the host knows besides its VMs
//!   vms/<GUID>.json
//!   drives/C/…     the host's C:\
//! ```
//!
//! The line in `lock` changes with every operation, the other files only when what they hold does.
//! The generation counts those changes: who knows an older one reads anew.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::drive::drive_folder;
use crate::guid::guid_text;
use crate::host_state::{HostFacts, HostState, Unsaved};
use crate::{SimError, SimErrorKind, Vm};

/// The line in `lock` is padded to this length, so that an older one leaves nothing behind it.
const RECORD_LEN: usize = 80;

/// The folder of a simulated host.
pub(crate) struct HostFolder {
    dir: PathBuf,
    lock: File,
}

/// What the line in `lock` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) generation: u64,
    pub(crate) now: Timestamp,
    pub(crate) drawn: u64,
}

/// The folder, locked against everybody else until this is dropped.
pub(crate) struct LockedFolder<'a> {
    folder: &'a HostFolder,
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
        let path = dir.join("lock");
        let mut options = fs::OpenOptions::new();
        let lock = options.read(true).write(true).open(&path);
        let lock = lock.map_err(|error| {
            SimError::io(
                format_args!("{} holds no simulated host", dir.display()),
                error,
            )
        })?;
        Ok(Self {
            dir: dir.to_owned(),
            lock,
        })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Waits for the folder's lock.
    pub(crate) fn lock(&self) -> Result<LockedFolder<'_>, SimError> {
        self.lock
            .lock()
            .map_err(|error| self.failed("lock", error))?;
        Ok(LockedFolder { folder: self })
    }

    fn failed(&self, name: &str, error: std::io::Error) -> SimError {
        SimError::io(self.dir.join(name).display(), error)
    }
}

impl Drop for LockedFolder<'_> {
    fn drop(&mut self) {
        let _ = self.folder.lock.unlock();
    }
}

impl LockedFolder<'_> {
    /// Reads the line in `lock`.
    pub(crate) fn record(&self) -> Result<Record, SimError> {
        let failed = |error| self.folder.failed("lock", error);
        let mut text = String::new();
        let mut lock = &self.folder.lock;
        lock.seek(SeekFrom::Start(0)).map_err(failed)?;
        let line = lock.take(RECORD_LEN as u64);
        { line }.read_to_string(&mut text).map_err(failed)?;
        Record::parse(&text).ok_or_else(|| nonsense(&self.folder.dir.join("lock"), "no record"))
    }

    fn write_record(&self, record: Record) -> Result<(), SimError> {
        let failed = |error| self.folder.failed("lock", error);
        let mut lock = &self.folder.lock;
        lock.seek(SeekFrom::Start(0)).map_err(failed)?;
        lock.write_all(record.to_text().as_bytes()).map_err(failed)
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
        let Unsaved { facts, vms } = std::mem::take(&mut state.unsaved);
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
        self.write_record(Record {
            generation,
            now: state.now,
            drawn: state.drawn,
        })?;
        // Only now does nobody need these any more.
        for path in std::mem::take(&mut state.doomed_files) {
            remove_if_there(&path)?;
        }
        Ok(generation)
    }
}

impl Record {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let mut number = || words.next()?.parse().ok();
        let generation = number()?;
        let now = i64::try_from(number()?).ok()?;
        Some(Self {
            generation,
            now: Timestamp::from_millisecond(now).ok()?,
            drawn: number()?,
        })
    }

    fn to_text(self) -> String {
        let now = self.now.as_millisecond();
        let line = format!("{} {now} {}", self.generation, self.drawn);
        format!("{line:<width$}\n", width = RECORD_LEN - 1)
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, SimError> {
    let bytes = fs::read(path).map_err(|error| SimError::io(path.display(), error))?;
    serde_json::from_slice(&bytes).map_err(|error| nonsense(path, &error.to_string()))
}

/// Replaces a file as a whole, so that no reader and no crash of this program sees half of it.
fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), SimError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_comes_back() {
        let record = Record {
            generation: u64::MAX,
            now: Timestamp::from_millisecond(1_767_600_000_123).unwrap(),
            drawn: 7,
        };
        let text = record.to_text();
        assert_eq!(text.len(), RECORD_LEN);
        assert_eq!(Record::parse(&text), Some(record));
        assert_eq!(Record::parse(""), None);
    }
}
