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
    /// Names that a power cut would lose.
    unflushed_names: BTreeSet<PathBuf>,
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
    /// nothing, to half, and not at all; names that were not flushed are lost, every second one.
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
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a step, and fails it if it is the one.
    fn step(&self) -> io::Result<std::sync::MutexGuard<'_, State>> {
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
        Ok(state)
    }
}

impl FolderSystem for FaultySystem {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        let _state = self.step()?;
        OsFolderSystem.create_folder(path)
    }

    fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.step()?;
        OsFolderSystem.write_new(path, bytes)?;
        state.unflushed_files.insert(path.to_owned());
        Ok(())
    }

    fn flush_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.step()?;
        // The bytes stay in the page cache: only the model forgets them.
        state.unflushed_files.remove(path);
        Ok(())
    }

    fn publish(&self, temporary: &Path, target: &Path) -> io::Result<()> {
        let mut state = self.step()?;
        OsFolderSystem.publish(temporary, target)?;
        if state.unflushed_files.contains(temporary) {
            state.unflushed_files.insert(target.to_owned());
        }
        state.unflushed_names.insert(target.to_owned());
        Ok(())
    }

    fn flush_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.step()?;
        state
            .unflushed_names
            .retain(|name| name.parent() != Some(path));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.step()?;
        state.unflushed_files.remove(path);
        OsFolderSystem.remove(path)
    }
}
