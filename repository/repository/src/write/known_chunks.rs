//! Which chunks and nodes the repository has, and where.

mod standing;

use std::collections::hash_map;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};

use object_store::StoreErrorKind;

use crate::domain_view::Shared;
use crate::format::{Entry, IndexDirectory, Locator, Name, PAGE_STORED_BYTES, PackId, PackKind};
use crate::read::index_objects;
use crate::{RepositoryError, RepositoryErrorKind};

use standing::Collected;
pub(crate) use standing::Standing;

const SHARDS: usize = 64;

/// What [`KnownChunks::claim`] found.
pub(crate) enum Claim {
    /// It is stored here.
    Known(Locator),
    /// The caller must store it, and say where with [`KnownChunks::resolve`].
    Mine,
    /// Somebody else is storing it: [`KnownChunks::wait`].
    Pending,
}

#[derive(Clone, Copy)]
enum Fresh {
    Pending,
    Stored(Locator),
}

struct LoadedIndex {
    object: String,
    directory: IndexDirectory,
}

/// Looks up names: what this run stored, then the index objects.
///
/// In memory are the names since the last index object, and about 11 bits for each other one.
/// An index that cannot be read makes chunks be stored again; it never loses any.
pub(crate) struct KnownChunks {
    shared: Arc<Shared>,
    fresh: Vec<Mutex<HashMap<Name, Fresh>>>,
    indexes: RwLock<Vec<Arc<LoadedIndex>>>,
    /// Packs in the store, with their length in bytes.
    present: RwLock<HashMap<PackId, u64>>,
    collected: RwLock<Collected>,
    /// Held while the index objects are listed again.
    listing: Mutex<()>,
    /// Notified when something that others wait for was resolved, or will never be.
    resolved: Condvar,
    waiting: Mutex<bool>,
    /// Frames that a repair called lost, though their packs may still be there.
    lost_frames: RwLock<HashSet<(PackId, u32)>>,
    /// Something that the repository should have is not there.
    lost: AtomicBool,
}

impl KnownChunks {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            fresh: (0..SHARDS).map(|_| Mutex::new(HashMap::new())).collect(),
            indexes: RwLock::new(Vec::new()),
            present: RwLock::new(HashMap::new()),
            collected: RwLock::default(),
            listing: Mutex::new(()),
            resolved: Condvar::new(),
            waiting: Mutex::new(false),
            lost_frames: RwLock::default(),
            lost: AtomicBool::new(false),
        }
    }

    fn shard(&self, name: &Name) -> std::sync::MutexGuard<'_, HashMap<Name, Fresh>> {
        // The last byte: the first ones decide about pages and filters.
        self.fresh[usize::from(name.0[31]) % SHARDS]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an index object.
    pub(crate) fn add_index(&self, object: String, directory: IndexDirectory) {
        let index = Arc::new(LoadedIndex { object, directory });
        self.indexes
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(index);
    }

    /// Adds a pack that is in the store, with its length.
    pub(crate) fn add_pack(&self, pack: PackId, size_bytes: u64) {
        let mut present = self.present.write().unwrap_or_else(PoisonError::into_inner);
        present.insert(pack, size_bytes);
    }

    /// Adds a frame of a pack that is durable.
    ///
    /// A node that this run did not write is not added: it is found through the index, and looked
    /// at before it is shared.
    pub(crate) fn add_durable(&self, kind: PackKind, name: Name, locator: Locator) {
        match kind {
            PackKind::Chunks => self.resolve(&name, locator),
            PackKind::MapNodes => {}
        }
    }

    /// Returns where a name lies, of what is durable or was stored by this run.
    pub(crate) fn find(&self, name: &Name) -> Option<Locator> {
        let fresh = match self.shard(name).get(name) {
            Some(Fresh::Stored(locator)) => Some(*locator),
            _ => None,
        };
        fresh
            .filter(|locator| self.standing(locator) == Standing::Good)
            .or_else(|| self.find_in_indexes(name))
    }

    fn is_lost(&self, place: &Locator) -> bool {
        // Nearly always empty, and asked only for what is there.
        self.lost_something() && {
            let lost = self
                .lost_frames
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            lost.contains(&(place.pack, place.offset))
        }
    }

    /// Says whether what an entry points to is there; what points to nothing is.
    pub(crate) fn holds(&self, entry: &Entry) -> bool {
        match entry {
            Entry::Stored { locator, .. } => self.usable(locator),
            Entry::NotAllocated | Entry::Zero | Entry::Skipped => true,
        }
    }

    /// Remembers a frame that a repair called lost: it is not to be had where it was.
    pub(crate) fn note_lost_frame(&self, place: &Locator) {
        self.note_loss();
        let mut lost = self
            .lost_frames
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        lost.insert((place.pack, place.offset));
    }

    /// Remembers that the repository has lost something: for the rest of the run no part of an
    /// earlier map is shared unread.
    pub(crate) fn note_loss(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }

    /// Says whether the repository is known to have lost something.
    pub(crate) fn lost_something(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Says whether a pack is in the store.
    pub(crate) fn has_pack(&self, pack: &PackId) -> bool {
        let present = self.present.read().unwrap_or_else(PoisonError::into_inner);
        present.contains_key(pack)
    }

    /// Looks a name up, and claims it where nobody has it.
    ///
    /// What the index knows counts only if `accept` says so.
    pub(crate) fn claim(&self, name: &Name, accept: impl Fn(&Locator) -> bool) -> Claim {
        match self.shard(name).get(name) {
            Some(Fresh::Stored(locator)) if !self.is_doomed(locator) => {
                return Claim::Known(*locator);
            }
            Some(Fresh::Pending) => return Claim::Pending,
            _ => {}
        }
        if let Some(locator) = self.find_in_indexes(name).filter(accept) {
            return Claim::Known(locator);
        }
        // Looked at again: somebody may have claimed it while the indexes were read.
        match self.shard(name).entry(*name) {
            hash_map::Entry::Occupied(mut entry) => match entry.get() {
                Fresh::Stored(locator) if !self.is_doomed(locator) => Claim::Known(*locator),
                Fresh::Stored(_) => {
                    entry.insert(Fresh::Pending);
                    Claim::Mine
                }
                Fresh::Pending => Claim::Pending,
            },
            hash_map::Entry::Vacant(entry) => {
                entry.insert(Fresh::Pending);
                Claim::Mine
            }
        }
    }

    fn find_in_indexes(&self, name: &Name) -> Option<Locator> {
        let (found, removed) = self.search_indexes(name);
        if found.is_some() || removed.is_empty() {
            return found;
        }
        // A collector put others in their place.
        self.replace_indexes(&removed);
        self.search_indexes(name).0
    }

    /// Loads the index objects that came since, instead of those that were removed. What cannot
    /// be loaded is stored again.
    fn replace_indexes(&self, removed: &[String]) {
        let _turn = self.listing.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = || self.indexes.write().unwrap_or_else(PoisonError::into_inner);
        let loaded: HashSet<String> = lock().iter().map(|index| index.object.clone()).collect();
        if !removed.iter().any(|object| loaded.contains(object)) {
            // Another thread was quicker.
            return;
        }
        let domain = self.shared.domain().id;
        for (object, id, size_bytes) in index_objects(&*self.shared.store).unwrap_or_default() {
            if loaded.contains(&object) {
                continue;
            }
            match self.shared.open_index(&object, id, size_bytes) {
                Ok(directory) if directory.domain == domain => self.add_index(object, directory),
                _ => {}
            }
        }
        lock().retain(|index| !removed.contains(&index.object));
    }

    /// Returns where a name lies, and the index objects that are not there any more.
    fn search_indexes(&self, name: &Name) -> (Option<Locator>, Vec<String>) {
        let mut removed = Vec::new();
        let indexes = self
            .indexes
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        // The newest first: neighbours in time are neighbours on the disk.
        for index in indexes.iter().rev() {
            for page in index.directory.candidate_pages(name) {
                let mut bytes = [0; PAGE_STORED_BYTES];
                let offset = IndexDirectory::page_offset(page);
                let read = self
                    .shared
                    .store
                    .get_range(&index.object, offset, &mut bytes);
                match read {
                    Ok(()) => {}
                    Err(error) if error.kind() == StoreErrorKind::NotFound => {
                        removed.push(index.object.clone());
                        break;
                    }
                    Err(_) => continue,
                }
                let found = index.directory.find_in_page(page, &mut bytes, name);
                if let Ok(Some(locator)) = found
                    && let Some(place) = self.place_of(&locator)
                {
                    return (Some(place), removed);
                }
            }
        }
        (None, removed)
    }

    /// Says where a claimed name lies.
    pub(crate) fn resolve(&self, name: &Name, locator: Locator) {
        self.shard(name).insert(*name, Fresh::Stored(locator));
        drop(self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        self.resolved.notify_all();
    }

    /// Forgets claims that a failed stream left, so that the next stream makes its own.
    pub(crate) fn begin_stream(&self) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = false;
        for shard in &self.fresh {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, fresh| matches!(fresh, Fresh::Stored(_)));
        }
    }

    /// Makes everybody who waits give up.
    pub(crate) fn abandon(&self) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.resolved.notify_all();
    }

    /// Waits until somebody else has stored `name`.
    pub(crate) fn wait(&self, name: &Name) -> Result<Locator, RepositoryError> {
        let mut abandoned = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match self.shard(name).get(name) {
                Some(Fresh::Stored(locator)) => return Ok(*locator),
                Some(Fresh::Pending) => {}
                // It was resolved and has moved into an index object since.
                None => {
                    if let Some(locator) = self.find_in_indexes(name) {
                        return Ok(locator);
                    }
                    *abandoned = true;
                }
            }
            if *abandoned {
                let what = "another thread of this run failed";
                return Err(RepositoryError::new(RepositoryErrorKind::Poisoned, what));
            }
            abandoned = self
                .resolved
                .wait(abandoned)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Forgets names that an index object now has.
    pub(crate) fn forget<'a>(&self, names: impl Iterator<Item = &'a Name>) {
        for name in names {
            self.shard(name).remove(name);
        }
    }
}
