//! A store that counts what it is asked.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use object_store::{ObjectInfo, ObjectRetention, ObjectStore, StoreError};

/// What a store was asked, in requests and bytes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Objects written.
    pub writes: u64,
    /// Bytes of them.
    pub written_bytes: u64,
    /// Reads, whole or ranged.
    pub reads: u64,
    /// Bytes of them.
    pub read_bytes: u64,
    /// Listings.
    pub listings: u64,
}

/// A store that counts what it is asked, and passes it on.
pub struct CountingStore<S> {
    store: S,
    writes: AtomicU64,
    written_bytes: AtomicU64,
    reads: AtomicU64,
    read_bytes: AtomicU64,
    listings: AtomicU64,
}

impl<S> CountingStore<S> {
    /// Counts what `store` is asked.
    pub fn new(store: S) -> Self {
        let [writes, written_bytes, reads, read_bytes, listings] = Default::default();
        Self {
            store,
            writes,
            written_bytes,
            reads,
            read_bytes,
            listings,
        }
    }

    /// Returns the counts since the last call.
    pub fn take(&self) -> Counts {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        Counts {
            writes: take(&self.writes),
            written_bytes: take(&self.written_bytes),
            reads: take(&self.reads),
            read_bytes: take(&self.read_bytes),
            listings: take(&self.listings),
        }
    }
}

fn add(counter: &AtomicU64, value: usize) {
    counter.fetch_add(value as u64, Ordering::Relaxed);
}

impl<S: ObjectStore> ObjectStore for CountingStore<S> {
    fn location(&self) -> String {
        self.store.location()
    }

    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        add(&self.writes, 1);
        add(&self.written_bytes, bytes.len());
        self.store.put_new(name, bytes)
    }

    fn get(&self, name: &str, limit_bytes: u64) -> Result<Vec<u8>, StoreError> {
        let bytes = self.store.get(name, limit_bytes)?;
        add(&self.reads, 1);
        add(&self.read_bytes, bytes.len());
        Ok(bytes)
    }

    fn get_range(&self, name: &str, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        add(&self.reads, 1);
        add(&self.read_bytes, buf.len());
        self.store.get_range(name, offset, buf)
    }

    fn size_bytes(&self, name: &str) -> Result<u64, StoreError> {
        self.store.size_bytes(name)
    }

    fn list(&self, prefix: &str, visit: &mut dyn FnMut(ObjectInfo)) -> Result<(), StoreError> {
        add(&self.listings, 1);
        self.store.list(prefix, visit)
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        self.store.remove(name)
    }

    fn now(&self) -> Result<SystemTime, StoreError> {
        self.store.now()
    }

    fn free_bytes(&self) -> Result<Option<u64>, StoreError> {
        self.store.free_bytes()
    }

    fn retention(&self) -> Option<&dyn ObjectRetention> {
        self.store.retention()
    }
}
