//! Keeping locked objects locked (section 2 of the format page).

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::SystemTime;

use jiff::Timestamp;
use object_store::{ObjectRetention, StoreError};
use serde::{Deserialize, Serialize};

use crate::format::{SEALED_BYTES_MAX, SealedKind, open_sealed, random_bytes, seal};
use crate::hex;
use crate::unlock::MASTER_KEY_ID;
use crate::{Repository, RepositoryError, RepositoryErrorKind};

/// Objects that one ledger remembers: what a run that dies has to ask for again.
const LEDGER_OBJECTS: usize = 10_000;
/// Objects that are asked for at once.
const AT_ONCE: usize = 8;
/// What a repository cannot be read without. Condemned objects and ledgers may go.
const KEPT_FOLDERS: [&str; 12] = [
    "keys/",
    "rings/",
    "hosts/",
    "features/",
    "settings/",
    "packs/",
    "index/",
    "points/",
    "notes/",
    "rollups/",
    "forward/",
    "quarantine/",
];

/// What came of extending locks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LockReport {
    /// Until when all that the repository needs is locked now.
    pub until: Timestamp,
    /// Objects that it needs.
    pub objects: u64,
    /// Objects of them that the store was asked to lock for longer.
    pub extended: u64,
}

/// A ledger, as it is sealed.
#[derive(Debug, Serialize, Deserialize)]
struct Ledger {
    version: u32,
    until: Timestamp,
    objects: Vec<String>,
}

impl Repository {
    /// Sees that whatever the repository needs is locked for as long as an object that is written
    /// now, and asks for no object twice in an epoch: `locks/` remembers what was asked.
    ///
    /// So is what is condemned: a host that only writes can condemn what points need. Fails with
    /// `Unsupported` where the store was not opened to lock, with `WriteOnly` for a host that only adds, and with `Cancelled` as
    /// soon as `cancelled` says so; what was done until then is remembered.
    pub fn extend_locks(
        &self,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<LockReport, RepositoryError> {
        let (retention, end) = self.locking()?;
        let (mut report, wanted, over) = self.lock_plan(end)?;
        let until = report.until;
        report.extended = 0;
        for ledger in over {
            // It is tried again by the next run.
            drop(self.shared.store.remove(&ledger));
        }
        for batch in wanted.chunks(LEDGER_OBJECTS) {
            let (locked, result) = extend_all(retention, batch, end, cancelled);
            report.extended += locked.len() as u64;
            if !locked.is_empty() {
                self.put_ledger(until, locked)?;
            }
            result?;
        }
        Ok(report)
    }

    /// Returns what [`Repository::extend_locks`] would do now, and does nothing. Fails as it does.
    pub fn plan_lock_extension(&self) -> Result<LockReport, RepositoryError> {
        let (_, end) = self.locking()?;
        Ok(self.lock_plan(end)?.0)
    }

    /// Returns what locks objects, and until when one is locked that is written now.
    fn locking(&self) -> Result<(&dyn ObjectRetention, SystemTime), RepositoryError> {
        self.shared.master("extend locks")?;
        let Some(retention) = self.shared.store.retention() else {
            let what = format!("{} does not lock what is written", self.location());
            return Err(RepositoryError::new(RepositoryErrorKind::Unsupported, what)
                .hint("name the bucket with ?lock=compliance or ?lock=governance"));
        };
        let end = retention.new_objects_until()?;
        Ok((retention, end))
    }

    /// Returns the report of a run that would lock all that is to be locked, the names of that, and
    /// ledgers whose time has come.
    fn lock_plan(
        &self,
        end: SystemTime,
    ) -> Result<(LockReport, Vec<String>, Vec<String>), RepositoryError> {
        let until = Timestamp::try_from(end).map_err(|error| {
            RepositoryError::new(
                RepositoryErrorKind::Store,
                "locks end at no time that there is",
            )
            .caused_by(error)
        })?;
        let (mut done, over) = self.locked_until(until)?;
        let mut report = LockReport {
            until,
            objects: 0,
            extended: 0,
        };
        let mut wanted = Vec::new();
        for name in self.needed_objects()? {
            report.objects += 1;
            if !done.remove(&name) {
                wanted.push(name);
            }
        }
        report.extended = wanted.len() as u64;
        Ok((report, wanted, over))
    }

    /// Lists what must stay, in the order in which it is to be asked for: small things first.
    fn needed_objects(&self) -> Result<Vec<String>, RepositoryError> {
        let mut names = Vec::new();
        self.shared.store.list("", &mut |object| {
            let is_file = object.name == crate::format::RepositoryFile::OBJECT;
            if is_file
                || KEPT_FOLDERS
                    .iter()
                    .any(|folder| object.name.starts_with(folder))
            {
                names.push((object.size_bytes, object.name));
            }
        })?;
        names.sort_unstable();
        Ok(names.into_iter().map(|(_, name)| name).collect())
    }

    /// Returns what ledgers say is locked until then, and the ledgers whose time has come.
    fn locked_until(
        &self,
        until: Timestamp,
    ) -> Result<(HashSet<String>, Vec<String>), RepositoryError> {
        let store = &self.shared.store;
        let now = Timestamp::try_from(store.now()?).unwrap_or(Timestamp::MIN);
        let mut names = Vec::new();
        store.list("locks/", &mut |object| names.push(object.name))?;
        let (mut locked, mut over) = (HashSet::new(), Vec::new());
        for name in names {
            // A ledger saves requests, no more: one that cannot be read is as good as none.
            let Ok(ledger) = self.read_ledger(&name) else {
                continue;
            };
            if ledger.until >= until {
                locked.extend(ledger.objects);
            } else if ledger.until < now {
                over.push(name);
            }
        }
        Ok((locked, over))
    }

    fn read_ledger(&self, name: &str) -> Result<Ledger, RepositoryError> {
        let (master, _) = self.shared.master("extend locks")?;
        let bytes = self.shared.store.get(name, SEALED_BYTES_MAX as u64)?;
        let body = open_sealed(SealedKind::Locks, MASTER_KEY_ID, master, name, &bytes)?;
        serde_json::from_slice(&body)
            .ok()
            .filter(|ledger: &Ledger| ledger.version == 1)
            .ok_or_else(|| RepositoryError::damaged(name, "this is no ledger of locks"))
    }

    fn put_ledger(&self, until: Timestamp, objects: Vec<String>) -> Result<(), RepositoryError> {
        let (master, _) = self.shared.master("extend locks")?;
        let name = format!("locks/{}", hex::encode(&random_bytes::<16>()?));
        let ledger = Ledger {
            version: 1,
            until,
            objects,
        };
        // Strings and a time always serialise.
        let body = serde_json::to_vec(&ledger).unwrap_or_default();
        let sealed = seal(SealedKind::Locks, MASTER_KEY_ID, master, &name, &body)?;
        self.shared.store.put_new(&name, &sealed)?;
        Ok(())
    }
}

/// Extends the locks of all these objects, several at once. Returns those that are locked, and why
/// it is not all of them.
fn extend_all(
    retention: &dyn ObjectRetention,
    names: &[String],
    until: SystemTime,
    cancelled: &(dyn Fn() -> bool + Sync),
) -> (Vec<String>, Result<(), RepositoryError>) {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut locked = Vec::new();
        while !cancelled() {
            let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) else {
                return (locked, Ok(()));
            };
            match retention.extend(name, until) {
                Ok(()) => locked.push(name.clone()),
                // Removed since it was listed: nothing to keep.
                Err(error) if error.kind() == object_store::StoreErrorKind::NotFound => {}
                Err(error) => {
                    // The others stop too.
                    next.store(names.len(), Ordering::Relaxed);
                    return (locked, Err(error));
                }
            }
        }
        (locked, Ok(()))
    };
    let done: Vec<(Vec<String>, Result<(), StoreError>)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .filter_map(|worker| worker.join().ok())
            .collect()
    });
    let mut all = Vec::new();
    let mut result = Ok(());
    for (locked, ended) in done {
        all.extend(locked);
        if let Err(error) = ended {
            result = Err(RepositoryError::from(error));
        }
    }
    if result.is_ok() && cancelled() {
        let what = "the locks of some objects were not extended yet";
        result = Err(RepositoryError::new(RepositoryErrorKind::Cancelled, what));
    }
    (all, result)
}
