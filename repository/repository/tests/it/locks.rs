//! Locks are extended once an epoch, object by object, and never more often.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use object_store::{ObjectInfo, ObjectRetention, ObjectStore, StoreError, StoreErrorKind};
use repository::{Repository, RepositoryErrorKind};

use crate::support::{PASSWORD, back_up, disk_bytes, open, options, store};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const EPOCH_S: u64 = 7 * 24 * 60 * 60;

/// A folder that locks what is written, with a clock that a test can put forward.
struct LockingStore {
    store: Arc<dyn ObjectStore>,
    ahead_s: AtomicU64,
    locks: Mutex<HashMap<String, SystemTime>>,
    extends: Mutex<Vec<String>>,
    fails: AtomicBool,
}

impl LockingStore {
    fn take_extends(&self) -> Vec<String> {
        std::mem::take(&mut *self.extends.lock().unwrap())
    }
    fn pass(&self, time: Duration) {
        self.ahead_s.fetch_add(time.as_secs(), Ordering::Relaxed);
    }
}

impl ObjectRetention for LockingStore {
    fn new_objects_until(&self) -> Result<SystemTime, StoreError> {
        let wanted = self.now()? + 30 * DAY;
        let since = wanted.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let end_s = since.as_secs().div_ceil(EPOCH_S) * EPOCH_S;
        Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(end_s))
    }
    fn locked_until(&self, name: &str) -> Result<Option<SystemTime>, StoreError> {
        Ok(self.locks.lock().unwrap().get(name).copied())
    }
    fn extend(&self, name: &str, until: SystemTime) -> Result<(), StoreError> {
        if self.fails.load(Ordering::Relaxed) && name.starts_with("packs/") {
            return Err(StoreError::new(StoreErrorKind::Unavailable, name, "busy"));
        }
        self.extends.lock().unwrap().push(name.to_owned());
        let mut locks = self.locks.lock().unwrap();
        let lock = locks.entry(name.to_owned()).or_insert(until);
        *lock = until.max(*lock);
        Ok(())
    }
}

impl ObjectStore for LockingStore {
    fn location(&self) -> String {
        self.store.location()
    }
    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.store.put_new(name, bytes)?;
        let until = self.new_objects_until()?;
        self.locks.lock().unwrap().insert(name.to_owned(), until);
        Ok(())
    }
    fn get(&self, name: &str, limit_bytes: u64) -> Result<Vec<u8>, StoreError> {
        self.store.get(name, limit_bytes)
    }
    fn get_range(&self, name: &str, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        self.store.get_range(name, offset, buf)
    }
    fn size_bytes(&self, name: &str) -> Result<u64, StoreError> {
        self.store.size_bytes(name)
    }
    fn list(&self, prefix: &str, visit: &mut dyn FnMut(ObjectInfo)) -> Result<(), StoreError> {
        self.store.list(prefix, visit)
    }
    fn remove(&self, name: &str) -> Result<(), StoreError> {
        if self.locked_until(name)? > Some(self.now()?) {
            return Err(StoreError::new(StoreErrorKind::Locked, name, "locked"));
        }
        self.store.remove(name)
    }
    fn now(&self) -> Result<SystemTime, StoreError> {
        let ahead = Duration::from_secs(self.ahead_s.load(Ordering::Relaxed));
        Ok(SystemTime::now() + ahead)
    }
    fn retention(&self) -> Option<&dyn ObjectRetention> {
        Some(self)
    }
}

fn locking(folder: &std::path::Path) -> Arc<LockingStore> {
    Arc::new(LockingStore {
        store: store(folder),
        ahead_s: AtomicU64::new(0),
        locks: Mutex::default(),
        extends: Mutex::default(),
        fails: AtomicBool::new(false),
    })
}

/// The objects that a repository needs: all but ledgers.
fn needed(store: &LockingStore) -> Vec<String> {
    let mut names = Vec::new();
    store
        .list("", &mut |object| {
            if !object.name.starts_with("locks/") {
                names.push(object.name);
            }
        })
        .unwrap();
    names.sort();
    names
}

#[test]
fn each_object_is_extended_once_an_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let store = locking(folder.path());
    let repository = Repository::init(store.clone(), &[PASSWORD], options()).unwrap();
    back_up(&repository, "vm", &disk_bytes(1, 3 << 20));
    let extend = || repository.extend_locks(&|| false).unwrap();

    for epoch in 0..3 {
        let planned = repository.plan_lock_extension().unwrap();
        assert_eq!(store.take_extends(), [""; 0], "a plan asks for nothing");
        let report = extend();
        assert_eq!(planned, report);
        let mut asked = store.take_extends();
        asked.sort();
        assert_eq!(asked, needed(&store), "epoch {epoch}: each object once");
        assert!(
            asked
                .iter()
                .filter(|name| name.starts_with("packs/"))
                .count()
                >= 2
        );
        assert_eq!(report.extended, report.objects);
        assert_eq!(report.objects, asked.len() as u64);

        let again = extend();
        assert_eq!(store.take_extends(), [""; 0], "a second look asks nothing");
        assert_eq!((again.extended, again.objects), (0, report.objects));

        // What is new is asked for alone.
        back_up(&repository, "vm", &disk_bytes(2 + epoch, 1 << 20));
        let before = report.objects;
        let report = extend();
        assert_eq!(report.extended, report.objects - before);
        store.take_extends();
        for name in needed(&store) {
            let until = store.locked_until(&name).unwrap().unwrap();
            assert!(until >= store.now().unwrap() + 30 * DAY, "{name}");
        }
        store.pass(7 * DAY);
    }
    // Ledgers whose time has come are removed, once no lock keeps them.
    store.pass(60 * DAY);
    extend();
    let mut ledgers = 0;
    store.list("locks/", &mut |_| ledgers += 1).unwrap();
    assert_eq!(ledgers, 1);
}

#[test]
fn what_was_done_before_a_failure_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let store = locking(folder.path());
    let repository = Repository::init(store.clone(), &[PASSWORD], options()).unwrap();
    back_up(&repository, "vm", &disk_bytes(1, 1 << 20));
    store.fails.store(true, Ordering::Relaxed);
    let error = repository.extend_locks(&|| false).unwrap_err();
    assert_eq!(error.kind(), RepositoryErrorKind::Store, "{error}");
    let first = store.take_extends();
    assert!(!first.is_empty());
    store.fails.store(false, Ordering::Relaxed);
    repository.extend_locks(&|| false).unwrap();
    let second = store.take_extends();
    assert!(
        second.iter().all(|name| !first.contains(name)),
        "{first:?} {second:?}"
    );
    let cancelled = repository.extend_locks(&|| true);
    assert_eq!(cancelled.unwrap().extended, 0, "nothing was left to do");
}

#[test]
fn a_store_without_locks_says_so() {
    let folder = tempfile::tempdir().unwrap();
    Repository::init(store(folder.path()), &[PASSWORD], options()).unwrap();
    let error = open(folder.path())
        .unwrap()
        .extend_locks(&|| false)
        .unwrap_err();
    assert_eq!(error.kind(), RepositoryErrorKind::Unsupported);
}
