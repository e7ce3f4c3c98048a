//! An entry that is held.

use std::path::PathBuf;

use hyperv_host::{HostError, HostErrorKind};

use super::entry::JournalEntry;
use super::entry_lock::EntryLock;
use super::folder;

/// An entry that is held. Dropped without being closed it stays, as that of a run that died.
#[derive(Debug)]
pub(crate) struct OpenEntry {
    entry: JournalEntry,
    path: PathBuf,
    lock: EntryLock,
}

impl OpenEntry {
    pub(super) fn new(entry: JournalEntry, path: PathBuf, lock: EntryLock) -> Self {
        Self { entry, path, lock }
    }

    /// Returns what is written down.
    pub(crate) fn entry(&self) -> &JournalEntry {
        &self.entry
    }

    /// Returns where it is, for people.
    pub(crate) fn place(&self) -> String {
        self.path.display().to_string()
    }

    /// Changes the entry. When this returns, the change is durable; after an error it is known
    /// here, and perhaps nowhere else.
    pub(crate) fn change(
        &mut self,
        change: impl FnOnce(&mut JournalEntry),
    ) -> Result<(), HostError> {
        change(&mut self.entry);
        self.store()
    }

    /// Removes the entry: nothing is left behind.
    pub(crate) fn close(self) -> Result<(), HostError> {
        // The entry first: a lock without an entry says nothing.
        folder::remove(&self.path)?;
        self.lock.remove();
        Ok(())
    }

    pub(super) fn store(&self) -> Result<(), HostError> {
        let bytes = self.entry.to_bytes();
        let bytes = bytes.map_err(|why| HostError::new(HostErrorKind::Blocked, why))?;
        folder::store(&self.path, &bytes)
    }
}
