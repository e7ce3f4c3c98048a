//! A folder system that fails, tears and dies on demand.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use object_store::{FolderSystem, OsFolderSystem};

/// What is to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: count the steps.
    None,
    /// This step, from 0, fails with "no space"; everything else works.
    FailOnce(usize),
    /// The machine dies at this step, from 0: it does not happen, and neither does any later one.
    DieAt(usize),
}

#[derive(Debug, Default)]
struct State {
    steps: usize,
    dead: bool,
    /// Files whose bytes a power cut would lose.
    unflushed_files: BTreeSet<PathBuf>,
    /// Names of files that a power cut would lose.
    unflushed_names: BTreeSet<PathBuf>,
    /// Names of folders that a power cut would lose, with all that is below.
    unflushed_folders: BTreeSet<PathBuf>,
}

/// A folder system over the machine's own; clones share their state.
#[derive(Debug, Clone)]
pub struct FaultySystem {
    fault: Fault,
    state: Arc<Mutex<State>>,
}

impl FaultySystem {
    /// Makes a system in which this goes wrong.
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            state: Arc::default(),
        }
    }

    /// Returns how many steps were asked for.
    pub fn steps(&self) -> usize {
        self.lock().steps
    }

    /// Returns whether the fault has happened.
    pub fn struck(&self) -> bool {
        match self.fault {
            Fault::None => false,
            Fault::FailOnce(step) | Fault::DieAt(step) => self.steps() > step,
        }
    }

    /// Does to the folder what a power cut does: files that were not flushed are torn, in turn to
    /// nothing, to half, and not at all; names that were not flushed are lost, every second one of
    /// files, and all of folders, with everything in them.
    pub fn lose_what_was_not_flushed(&self) -> io::Result<()> {
        let state = self.lock();
        for (number, path) in state.unflushed_files.iter().enumerate() {
            if let Ok(file) = fs::OpenOptions::new().write(true).open(path) {
                let len = file.metadata()?.len();
                match number % 3 {
                    0 => file.set_len(len / 2)?,
                    1 => file.set_len(0)?,
                    _ => {}
                }
            }
        }
        for path in state.unflushed_names.iter().step_by(2) {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        for path in &state.unflushed_folders {
            match fs::remove_dir_all(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a step, and fails it if it is the one.
    ///
    /// The step itself is done without the lock, so that uploads of several threads overlap.
    fn step(&self) -> io::Result<()> {
        let mut state = self.lock();
        let step = state.steps;
        state.steps += 1;
        match self.fault {
            Fault::DieAt(last) if step >= last => state.dead = true,
            Fault::FailOnce(only) if step == only => return Err(io::ErrorKind::StorageFull.into()),
            _ => {}
        }
        if state.dead {
            return Err(io::Error::other("the machine is dead"));
        }
        Ok(())
    }
}

impl FolderSystem for FaultySystem {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        // With the lock: of two threads that make one folder, one finds it there.
        let mut state = self.lock();
        let missing = path.ancestors().take_while(|folder| !folder.exists());
        state.unflushed_folders.extend(missing.map(Path::to_owned));
        OsFolderSystem.create_folder(path)
    }

    fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.step()?;
        self.lock().unflushed_files.insert(path.to_owned());
        OsFolderSystem.write_new(path, bytes)
    }

    fn flush_file(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        // The bytes stay in the page cache: only the model forgets them.
        self.lock().unflushed_files.remove(path);
        Ok(())
    }

    fn publish(&self, temporary: &Path, target: &Path) -> io::Result<()> {
        self.step()?;
        OsFolderSystem.publish(temporary, target)?;
        let mut state = self.lock();
        if state.unflushed_files.contains(temporary) {
            state.unflushed_files.insert(target.to_owned());
        }
        state.unflushed_names.insert(target.to_owned());
        Ok(())
    }

    fn flush_folder(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        let below = |name: &PathBuf| name.parent() == Some(path);
        let mut state = self.lock();
        state.unflushed_names.retain(|name| !below(name));
        state.unflushed_folders.retain(|name| !below(name));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        OsFolderSystem.remove(path)?;
        self.lock().unflushed_files.remove(path);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use object_store::{FolderStore, ObjectStore as _};

    use super::*;

    #[test]
    fn a_folder_whose_name_was_not_flushed_is_lost_with_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let system = FaultySystem::new(Fault::None);
        let ab = folder.path().join("packs/ab");
        system.create_folder(&ab).unwrap();
        system.flush_folder(&folder.path().join("packs")).unwrap();
        system.write_new(&ab.join("one"), b"1").unwrap();
        system.lose_what_was_not_flushed().unwrap();
        assert!(!folder.path().join("packs").exists());
    }

    #[test]
    fn what_a_store_called_durable_survives_whoever_made_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let system = FaultySystem::new(Fault::None);
        // Another thread or host that has made the folder and flushed nothing yet.
        let ab = folder.path().join("packs/ab");
        system.create_folder(&ab).unwrap();
        let store = FolderStore::with_system(folder.path(), system.clone()).unwrap();
        store.put_new("packs/ab/one", b"1").unwrap();
        system.lose_what_was_not_flushed().unwrap();
        assert_eq!(store.get("packs/ab/one", 1).unwrap(), b"1");
    }
}
