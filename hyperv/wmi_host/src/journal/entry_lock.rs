//! The lock that tells a run that lives from one that died.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// A lock, held until this is dropped. The file is beside the entry: an entry is replaced as a
/// whole, and where locks are mandatory nobody else could read it.
#[derive(Debug)]
pub(super) struct EntryLock {
    file: File,
    path: PathBuf,
}

/// What came of trying to hold a lock.
pub(super) enum Held {
    /// We have it.
    Ours(EntryLock),
    /// Somebody else has it.
    Others,
}

impl EntryLock {
    /// Makes a new lock and holds it. `None`: there is one of this name already.
    pub(super) fn create(path: &Path) -> io::Result<Option<Self>> {
        let file = match OpenOptions::new().write(true).create_new(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            other => other?,
        };
        Ok(match Self::hold(file, path)? {
            // Somebody who cleans up may have taken it for a leftover before it was held.
            Held::Ours(lock) if lock.is_in_place() => Some(lock),
            Held::Ours(_) | Held::Others => None,
        })
    }

    /// Tries to hold the lock of an entry, which may have lost its file.
    pub(super) fn take(path: &Path) -> io::Result<Held> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        Self::hold(file, path)
    }

    fn hold(file: File, path: &Path) -> io::Result<Held> {
        match file.try_lock() {
            Ok(()) => Ok(Held::Ours(Self {
                file,
                path: path.to_owned(),
            })),
            Err(TryLockError::WouldBlock) => Ok(Held::Others),
            // Without locks nobody could tell a run that lives from one that died.
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Returns whether the name still leads to the file that is held.
    fn is_in_place(&self) -> bool {
        // A file that is locked without a name is of no use, and cannot be told from one with a
        // name everywhere; length is what every system tells. So the lock marks itself.
        let marked = self.file.set_len(1).is_ok();
        marked && fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() == 1)
    }

    /// Removes the file.
    pub(super) fn remove(self) {
        // One that stays is removed when the folder is listed.
        let _ = fs::remove_file(&self.path);
    }
}

impl Drop for EntryLock {
    fn drop(&mut self) {
        // Closing is not enough while a child process that is just being started holds a copy.
        let _ = self.file.unlock();
    }
}
