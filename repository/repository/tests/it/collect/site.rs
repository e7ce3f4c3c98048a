//! A repository in memory, with hosts that back up, prune and collect.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use block_io::MemoryDisk;
use object_store::ObjectStore;
use repository::{
    CollectObserver, CollectOptions, CollectReport, CollectStage, Repository, RepositoryError,
    RestorePoint,
};
use store_faults::MemoryStore;

use crate::support::{PASSWORD, Quiet, options, publish, read_back};

pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl CollectObserver for Quiet {
    fn advanced(&self, _: CollectStage, _: u64, _: u64) {}
    fn cancelled(&self) -> bool {
        false
    }
}

/// A repository in memory, and what each of its points must read as.
pub(crate) struct Site {
    pub(crate) store: MemoryStore,
    pub(crate) expected: BTreeMap<String, (RestorePoint, Arc<Vec<u8>>)>,
}

impl Site {
    pub(crate) fn new() -> Self {
        let store = MemoryStore::new();
        Repository::init(Arc::new(store.clone()), &[PASSWORD], options()).unwrap();
        Self {
            store,
            expected: BTreeMap::new(),
        }
    }

    /// Returns a copy that goes its own way.
    pub(crate) fn fork(&self) -> Self {
        Self {
            store: self.store.fork(),
            expected: self.expected.clone(),
        }
    }

    /// Opens the repository as a host with faults of its own.
    pub(crate) fn open(&self) -> (Repository, MemoryStore) {
        let host = self.store.another_host();
        (open_on(&host), host)
    }

    pub(crate) fn repository(&self) -> Repository {
        self.open().0
    }

    /// Backs a disk up and remembers the point.
    pub(crate) fn back_up(&mut self, vm: &str, bytes: &[u8]) -> RestorePoint {
        let point = back_up(&self.repository(), vm, bytes).unwrap();
        self.remember(&point, bytes);
        point
    }

    pub(crate) fn remember(&mut self, point: &RestorePoint, bytes: &[u8]) {
        let bytes = Arc::new(bytes.to_vec());
        self.expected
            .insert(point.id.clone(), (point.clone(), bytes));
    }

    pub(crate) fn remove(&mut self, point: &RestorePoint) {
        self.repository().remove_point(point).unwrap();
        self.expected.remove(&point.id);
    }

    pub(crate) fn collect(&self) -> CollectReport {
        self.try_collect(&CollectOptions::default()).unwrap()
    }

    pub(crate) fn try_collect(
        &self,
        options: &CollectOptions,
    ) -> Result<CollectReport, RepositoryError> {
        collect_on(&self.store.another_host(), options)
    }

    /// Collects often enough, with days in between, that no garbage can be left.
    pub(crate) fn collect_until_clean(&self) {
        for _ in 0..5 {
            self.store.advance(4 * DAY);
            self.collect();
        }
    }

    /// Fails unless every point reads back whole.
    pub(crate) fn check(&self) {
        let repository = self.repository();
        for (point, bytes) in self.expected.values() {
            let read = read_back(&repository, point);
            assert!(read.is_ok_and(|read| read == **bytes), "{}", point.id);
        }
    }

    pub(crate) fn packs(&self) -> usize {
        self.store.names("packs/").len()
    }

    /// Returns the bytes that are stored under names that begin with `prefix`.
    pub(crate) fn bytes_below(&self, prefix: &str) -> u64 {
        let mut sum = 0;
        let host = self.store.another_host();
        let visit = &mut |object: object_store::ObjectInfo| sum += object.size_bytes;
        host.list(prefix, visit).unwrap();
        sum
    }
}

/// Returns the bytes of a disk that shares nothing with one of another seed, and compresses not.
pub(crate) fn noise(seed: u32, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let mut hasher = blake3::Hasher::new_derive_key("test noise");
    hasher
        .update(&seed.to_le_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

pub(crate) fn open_on(host: &MemoryStore) -> Repository {
    Repository::open(Arc::new(host.clone()), &PASSWORD).unwrap()
}

pub(crate) fn collect_on(
    host: &MemoryStore,
    options: &CollectOptions,
) -> Result<CollectReport, RepositoryError> {
    let repository = Repository::open(Arc::new(host.clone()), &PASSWORD)?;
    let options = CollectOptions {
        workers: options.workers.max(2),
        ..options.clone()
    };
    repository.collect(&options, &Quiet)
}

/// Backs a disk up in a run of its own, compared with the newest point of the VM.
pub(crate) fn back_up(
    repository: &Repository,
    vm: &str,
    bytes: &[u8],
) -> Result<RestorePoint, RepositoryError> {
    let previous = repository.points_of(vm)?.pop();
    let run = repository.begin_run(2)?;
    let disk = MemoryDisk::new(bytes.to_vec());
    let previous = previous.as_ref().map(|point| &point.streams[0]);
    let stored = run.store_stream(&disk, previous, &Quiet)?;
    publish(&run, vm, &disk, stored)
}
