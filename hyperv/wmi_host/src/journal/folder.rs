//! Entries in files.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use hyperv_host::{HostError, HostErrorKind};
use uuid::Uuid;

use super::entry::{ENTRY_BYTES_MAX, JournalEntry};
use super::entry_lock::{EntryLock, Held};
use super::open_entry::OpenEntry;

/// More files are no journal.
const FILES_MAX: usize = 100_000;

/// A folder of entries.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    path: PathBuf,
}

/// An entry that was found.
#[derive(Debug)]
pub(crate) enum Recorded {
    /// Of a run that lives, in this process or another.
    Living(JournalEntry),
    /// Of a run that died; held from now on by whoever has this.
    Dead(OpenEntry),
    /// Cannot be read.
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        why: String,
    },
}

impl Journal {
    /// Opens the journal in a folder, which is made where there is none.
    pub(crate) fn open(path: &Path) -> Result<Self, HostError> {
        let failed = |error| failure(path, "cannot make this folder", error);
        fs::create_dir_all(path).map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// Writes a new entry. When this returns, it is durable and held.
    pub(crate) fn begin(&self, entry: JournalEntry) -> Result<OpenEntry, HostError> {
        let stem = format!("{}.{}", entry.vm, file_name_of(&entry.run));
        for number in 0..FILES_MAX {
            let name = match number {
                0 => stem.clone(),
                other => format!("{stem}-{other}"),
            };
            let path = self.path.join(format!("{name}.json"));
            let lock_path = path.with_added_extension("lock");
            let failed = |error| failure(&lock_path, "cannot make this file", error);
            let Some(lock) = EntryLock::create(&lock_path).map_err(failed)? else {
                continue;
            };
            if path.exists() {
                continue;
            }
            let open = OpenEntry::new(entry, path, lock);
            open.store()?;
            return Ok(open);
        }
        Err(refusal(format!(
            "{}: there are too many entries of this run",
            self.path.display()
        )))
    }

    /// Returns what is recorded. Entries of dead runs are held from now on.
    pub(crate) fn entries(&self) -> Result<Vec<Recorded>, HostError> {
        self.entries_that(|_| true)
    }

    /// Returns what is recorded of a VM. Those of others are not even held for a moment: to their
    /// own runs, which may begin right now, that would look as if somebody worked on them.
    pub(crate) fn entries_of(&self, vm: Uuid) -> Result<Vec<Recorded>, HostError> {
        let prefix = format!("{vm}.");
        self.entries_that(|path| {
            let name = path.file_name().unwrap_or_default();
            name.to_string_lossy().starts_with(&prefix)
        })
    }

    fn entries_that(&self, wanted: impl Fn(&Path) -> bool) -> Result<Vec<Recorded>, HostError> {
        let failed = |error| failure(&self.path, "cannot list this folder", error);
        let mut names = Vec::new();
        for file in fs::read_dir(&self.path).map_err(failed)? {
            names.push(file.map_err(failed)?.path());
            if names.len() > FILES_MAX {
                let path = self.path.display();
                return Err(refusal(format!("{path}: this folder has too many files")));
            }
        }
        names.retain(|path| wanted(path));
        names.sort();
        let mut found = Vec::new();
        for path in &names {
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("json") => found.extend(look_at(path)?),
                Some("lock") => remove_leftover(path),
                _ => {}
            }
        }
        Ok(found)
    }
}

/// Looks at an entry; `None` where it was closed meanwhile.
fn look_at(path: &Path) -> Result<Option<Recorded>, HostError> {
    let lock_path = path.with_added_extension("lock");
    let held = EntryLock::take(&lock_path)
        .map_err(|error| failure(&lock_path, "cannot hold this lock", error))?;
    let bytes = match read_bounded(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Held::Ours(lock) = held {
                lock.remove();
            }
            return Ok(None);
        }
        Err(error) => return Err(failure(path, "cannot read this entry", error)),
    };
    Ok(Some(match (JournalEntry::read(&bytes), held) {
        (Ok(entry), Held::Ours(lock)) => {
            Recorded::Dead(OpenEntry::new(entry, path.to_owned(), lock))
        }
        (Ok(entry), Held::Others) => Recorded::Living(entry),
        (Err(why), _) => Recorded::Unreadable {
            file: path.display().to_string(),
            why,
        },
    }))
}

/// Removes a lock whose entry is closed. One that is held by a run that is just about to write
/// its entry is left alone.
fn remove_leftover(lock_path: &Path) {
    if lock_path.with_extension("").exists() {
        return;
    }
    if let Ok(Held::Ours(lock)) = EntryLock::take(lock_path)
        && !lock_path.with_extension("").exists()
    {
        lock.remove();
    }
}

/// Replaces an entry as a whole; when this returns, it is durable.
pub(super) fn store(path: &Path, bytes: &[u8]) -> Result<(), HostError> {
    let partial = path.with_added_extension("partial");
    let failed = |error| failure(path, "cannot write this entry", error);
    let mut file = File::create(&partial).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    drop(file);
    fs::rename(&partial, path).map_err(failed)?;
    flush_folder_of(path).map_err(failed)
}

/// Removes an entry.
pub(super) fn remove(path: &Path) -> Result<(), HostError> {
    let failed = |error| failure(path, "cannot remove this entry", error);
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(failed),
    }?;
    flush_folder_of(path).map_err(failed)
}

fn flush_folder_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), block_io::flush_folder)
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than an entry may have shows that it has more.
    let limit = u64::try_from(ENTRY_BYTES_MAX).unwrap_or(u64::MAX) + 1;
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Makes a part of a file's name of a run's id: what is no letter or digit becomes `-`.
fn file_name_of(run: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    run.chars().take(64).map(safe).collect()
}

fn failure(path: &Path, what: &str, error: io::Error) -> HostError {
    refusal(format!("{}: {what}: {error}", path.display())).caused_by(error)
}

/// Without a journal nothing may be made on a host.
fn refusal(text: String) -> HostError {
    HostError::new(HostErrorKind::Blocked, text)
        .hint("let the program write to its journal's folder: without it nothing is made on a host")
}
