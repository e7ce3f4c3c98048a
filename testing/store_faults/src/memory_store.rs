//! A store in memory, in which everything that can go wrong with one does so on demand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use object_store::{ObjectInfo, ObjectStore, StoreError, StoreErrorKind, check_object_name};

use crate::Fault;
use crate::store_host::{Host, Request, RequestCounts};

/// Where the store's clock begins: 2026-01-01 in UTC.
const CLOCK_BEGINS: Duration = Duration::from_secs(1_767_225_600);

/// How far listings lag behind what was written and removed.
///
/// An object that was put or removed within the lag may be seen in a listing or not: each listing
/// decides anew. Reading an object by its name never lags, as with every object store of today.
#[derive(Debug, Clone, Copy, Default)]
pub struct ListingLag {
    /// By the store's clock.
    pub time: Duration,
    /// In requests of all hosts together.
    pub requests: u64,
}

struct Stored {
    bytes: Arc<Vec<u8>>,
    modified: SystemTime,
    put: Moment,
    /// It is gone, and listings may not know yet.
    removed: Option<Moment>,
}

#[derive(Clone, Copy)]
struct Moment {
    time: SystemTime,
    request: u64,
}

struct Objects {
    objects: BTreeMap<String, Stored>,
    now: SystemTime,
    requests: u64,
    lag: ListingLag,
    random: u64,
    capacity_bytes: Option<u64>,
}

/// A store in memory, with a clock of its own that stands still until a test moves it.
///
/// Clones are the same host. [`MemoryStore::another_host`] is another one on the same objects,
/// with faults and counts of its own.
#[derive(Clone)]
pub struct MemoryStore {
    objects: Arc<Mutex<Objects>>,
    host: Arc<Host>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// Makes an empty store.
    pub fn new() -> Self {
        let objects = Objects {
            objects: BTreeMap::new(),
            now: SystemTime::UNIX_EPOCH + CLOCK_BEGINS,
            requests: 0,
            lag: ListingLag::default(),
            random: 0x9E37_79B9_7F4A_7C15,
            capacity_bytes: None,
        };
        Self {
            objects: Arc::new(Mutex::new(objects)),
            host: Arc::default(),
        }
    }

    /// Returns another host's view of the same objects.
    #[must_use]
    pub fn another_host(&self) -> Self {
        Self {
            objects: Arc::clone(&self.objects),
            host: Arc::default(),
        }
    }

    /// Returns a copy of everything that is stored: what happens to one does not to the other.
    #[must_use]
    pub fn fork(&self) -> Self {
        let from = self.lock();
        let copy = Self::new();
        {
            let mut to = copy.lock();
            (to.now, to.requests, to.lag) = (from.now, from.requests, from.lag);
            (to.random, to.capacity_bytes) = (from.random, from.capacity_bytes);
            to.objects = from
                .objects
                .iter()
                .map(|(name, stored)| {
                    let bytes = Arc::clone(&stored.bytes);
                    (name.clone(), Stored { bytes, ..*stored })
                })
                .collect();
        }
        copy
    }

    fn lock(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the store's clock forward.
    pub fn advance(&self, by: Duration) {
        self.lock().now += by;
    }

    /// Returns the store's time without a request.
    pub fn time(&self) -> SystemTime {
        self.lock().now
    }

    /// Lets listings lag; `seed` decides what each shows.
    pub fn set_lag(&self, lag: ListingLag, seed: u64) {
        let mut objects = self.lock();
        objects.lag = lag;
        objects.random = seed | 1;
    }

    /// Refuses writes that would make all objects together larger than this.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.lock().capacity_bytes = bytes;
    }

    /// Makes a request of this host fail, or the host die at one; counted are from now on those
    /// that write or remove, or with `all_requests` reads and listings too.
    pub fn set_fault(&self, fault: Fault, all_requests: bool) {
        self.host.set_fault(fault, all_requests);
    }

    /// Returns how many steps were counted since [`MemoryStore::set_fault`].
    pub fn steps(&self) -> usize {
        self.host.steps()
    }

    /// Calls `action` once, just before this host's step `step` is done: what others do meanwhile,
    /// or how long the host sleeps there. Steps are counted as `set_fault` says.
    pub fn before_step(&self, step: usize, action: impl FnOnce() + Send + 'static) {
        self.host.before_step(step, Box::new(action));
    }

    /// Refuses or allows removal to this host.
    pub fn deny_removal(&self, deny: bool) {
        self.host.deny_removal(deny);
    }

    /// Returns what this host has asked since the last call.
    pub fn take_counts(&self) -> RequestCounts {
        self.host.take_counts()
    }

    /// Returns the names of all objects that begin with `prefix`, without lag.
    pub fn names(&self, prefix: &str) -> Vec<String> {
        let objects = self.lock();
        let there = objects.objects.iter().filter(|(_, o)| o.removed.is_none());
        there
            .map(|(name, _)| name.clone())
            .filter(|name| name.starts_with(prefix))
            .collect()
    }

    /// Returns the bytes of an object.
    pub fn bytes_of(&self, name: &str) -> Option<Vec<u8>> {
        let objects = self.lock();
        let stored = objects.objects.get(name)?;
        (stored.removed.is_none()).then(|| stored.bytes.to_vec())
    }

    /// Returns how many bytes are stored.
    pub fn stored_bytes(&self) -> u64 {
        self.lock().stored_bytes()
    }

    /// Changes the bytes of an object behind everybody's back: flips, truncates, extends. Returns
    /// whether it is there.
    pub fn tamper(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut objects = self.lock();
        let there = objects.objects.get_mut(name);
        let Some(stored) = there.filter(|stored| stored.removed.is_none()) else {
            return false;
        };
        let mut bytes = stored.bytes.to_vec();
        change(&mut bytes);
        stored.bytes = Arc::new(bytes);
        true
    }

    /// Takes an object away without a trace.
    pub fn lose(&self, name: &str) -> bool {
        self.lock().objects.remove(name).is_some()
    }

    /// Puts a copy of an object under another name, replacing what is there.
    pub fn duplicate(&self, name: &str, copy: &str) -> bool {
        let mut objects = self.lock();
        let Some(bytes) = objects.objects.get(name).map(|o| Arc::clone(&o.bytes)) else {
            return false;
        };
        let stored = objects.stored(bytes);
        objects.objects.insert(copy.to_owned(), stored);
        true
    }

    /// Swaps the bytes of two objects.
    pub fn swap(&self, one: &str, other: &str) -> bool {
        let mut objects = self.lock();
        let bytes = |name: &str| objects.objects.get(name).map(|o| Arc::clone(&o.bytes));
        let (Some(first), Some(second)) = (bytes(one), bytes(other)) else {
            return false;
        };
        for (name, bytes) in [(one, second), (other, first)] {
            if let Some(stored) = objects.objects.get_mut(name) {
                stored.bytes = bytes;
            }
        }
        true
    }

    /// Counts a request, lets the host's fault strike, and returns the objects.
    fn request(
        &self,
        request: Request,
        name: &str,
        bytes: usize,
    ) -> Result<MutexGuard<'_, Objects>, StoreError> {
        self.host.step(request, name, bytes)?;
        let mut objects = self.lock();
        objects.requests += 1;
        Ok(objects)
    }
}

impl Objects {
    fn moment(&self) -> Moment {
        Moment {
            time: self.now,
            request: self.requests,
        }
    }

    fn stored(&self, bytes: Arc<Vec<u8>>) -> Stored {
        Stored {
            bytes,
            modified: self.now,
            put: self.moment(),
            removed: None,
        }
    }

    fn stored_bytes(&self) -> u64 {
        let there = self.objects.values().filter(|o| o.removed.is_none());
        there.map(|stored| stored.bytes.len() as u64).sum()
    }

    /// Says whether something that happened then may not show in listings yet.
    fn lags(&self, moment: Moment) -> bool {
        let age = self.now.duration_since(moment.time).unwrap_or_default();
        age < self.lag.time || self.requests - moment.request < self.lag.requests
    }

    fn coin(&mut self) -> bool {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random & 1 == 1
    }

    fn there(&self, name: &str) -> Result<&Stored, StoreError> {
        let stored = self.objects.get(name).filter(|o| o.removed.is_none());
        stored.ok_or_else(|| {
            StoreError::new(StoreErrorKind::NotFound, name, "this object is not there")
        })
    }
}

impl ObjectStore for MemoryStore {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        check_object_name(name)?;
        let mut objects = self.request(Request::Write, name, bytes.len())?;
        if objects.there(name).is_ok() {
            let what = "there is an object of this name";
            return Err(StoreError::new(StoreErrorKind::Exists, name, what));
        }
        let after = objects.stored_bytes() + bytes.len() as u64;
        if objects.capacity_bytes.is_some_and(|most| after > most) {
            let what = "there is no room for this object";
            return Err(StoreError::new(StoreErrorKind::NoSpace, name, what));
        }
        let stored = objects.stored(Arc::new(bytes.to_vec()));
        objects.objects.insert(name.to_owned(), stored);
        Ok(())
    }

    fn get(&self, name: &str, limit_bytes: u64) -> Result<Vec<u8>, StoreError> {
        let objects = self.request(Request::Read, name, 0)?;
        let bytes = Arc::clone(&objects.there(name)?.bytes);
        drop(objects);
        if bytes.len() as u64 > limit_bytes {
            let what = "this object is longer than expected";
            return Err(StoreError::new(StoreErrorKind::WrongSize, name, what));
        }
        self.host.add_read(bytes.len());
        Ok(bytes.to_vec())
    }

    fn get_range(&self, name: &str, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        let objects = self.request(Request::Read, name, 0)?;
        let bytes = Arc::clone(&objects.there(name)?.bytes);
        drop(objects);
        let part = usize::try_from(offset)
            .ok()
            .and_then(|start| bytes.get(start..start.checked_add(buf.len())?));
        let part = part.ok_or_else(|| {
            let what = "this object is shorter than expected";
            StoreError::new(StoreErrorKind::WrongSize, name, what)
        })?;
        buf.copy_from_slice(part);
        self.host.add_read(buf.len());
        Ok(())
    }

    fn size_bytes(&self, name: &str) -> Result<u64, StoreError> {
        let objects = self.request(Request::Look, name, 0)?;
        Ok(objects.there(name)?.bytes.len() as u64)
    }

    fn list(&self, prefix: &str, visit: &mut dyn FnMut(ObjectInfo)) -> Result<(), StoreError> {
        let mut objects = self.request(Request::List, prefix, 0)?;
        let mut seen = Vec::new();
        let mut unsure = Vec::new();
        for (name, stored) in &objects.objects {
            if !name.starts_with(prefix) {
                continue;
            }
            let info = ObjectInfo {
                name: name.clone(),
                size_bytes: stored.bytes.len() as u64,
                modified: stored.modified,
            };
            match stored.removed {
                None if objects.lags(stored.put) => unsure.push(info),
                None => seen.push(info),
                Some(removed) if objects.lags(removed) => unsure.push(info),
                Some(_) => {}
            }
        }
        seen.extend(unsure.into_iter().filter(|_| objects.coin()));
        // Visitors may ask the store something.
        drop(objects);
        seen.into_iter().for_each(visit);
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        let mut objects = self.request(Request::Remove, name, 0)?;
        let moment = objects.moment();
        if let Some(stored) = objects.objects.get_mut(name) {
            stored.removed.get_or_insert(moment);
            stored.bytes = Arc::default();
        }
        Ok(())
    }

    fn now(&self) -> Result<SystemTime, StoreError> {
        Ok(self.request(Request::Look, "now", 0)?.now)
    }

    fn free_bytes(&self) -> Result<Option<u64>, StoreError> {
        let objects = self.lock();
        let free = |most: u64| most.saturating_sub(objects.stored_bytes());
        Ok(objects.capacity_bytes.map(free))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(store: &MemoryStore) -> Vec<String> {
        let mut names = Vec::new();
        store
            .list("", &mut |object| names.push(object.name))
            .unwrap();
        names
    }

    #[test]
    fn an_object_is_written_once_and_has_the_time_of_the_store() {
        let store = MemoryStore::new();
        store.put_new("a/b", b"1").unwrap();
        store.advance(Duration::from_secs(60));
        let again = store.another_host().put_new("a/b", b"2").unwrap_err();
        assert_eq!(again.kind(), StoreErrorKind::Exists);
        let now = store.now().unwrap();
        store
            .list("a/", &mut |object| {
                assert_eq!(object.modified + Duration::from_secs(60), now);
            })
            .unwrap();
        assert_eq!(store.get("a/b", 1).unwrap(), b"1");
    }

    #[test]
    fn a_lagging_listing_may_miss_what_is_new_and_show_what_is_gone_but_not_for_ever() {
        let store = MemoryStore::new();
        store.put_new("gone", b"1").unwrap();
        let time = Duration::from_secs(60);
        store.set_lag(ListingLag { time, requests: 0 }, 7);
        store.advance(time);
        store.put_new("new", b"1").unwrap();
        store.remove("gone").unwrap();
        let seen: Vec<_> = (0..32).map(|_| listed(&store)).collect();
        for name in ["gone", "new"] {
            let times = seen.iter().filter(|names| names.contains(&name.to_owned()));
            assert!((1..32).contains(&times.count()));
        }
        assert!(store.get("gone", 1).is_err());
        store.advance(time);
        assert_eq!(listed(&store), ["new"]);
    }

    #[test]
    fn a_host_dies_alone_and_others_act_before_a_step() {
        let store = MemoryStore::new();
        let other = store.another_host();
        store.set_fault(Fault::DieAt(1), false);
        let beside = other.clone();
        store.before_step(0, move || beside.put_new("other", b"1").unwrap());
        store.put_new("a", b"1").unwrap();
        assert!(store.put_new("b", b"1").is_err());
        assert!(store.get("a", 1).is_err());
        assert_eq!(listed(&other), ["a", "other"]);
    }
}
