//! Lists durable packs in index objects, and knows at the start of a run what is there.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use object_store::StoreErrorKind;

use crate::RepositoryError;
use crate::domain_view::Shared;
use crate::format::{
    IndexDirectory, IndexEntry, IndexObject, Locator, PackId, PackKind, TrailerEntry,
    forwarded_pack,
};
use crate::maintain::in_parallel;
use crate::read::index_objects;
use crate::write::known_chunks::KnownChunks;

/// Names in memory before an index object is written: it bounds the memory of a long run.
const INDEX_ENTRIES: usize = 1 << 17;

/// Lists durable packs in index objects.
pub(crate) struct IndexWriter {
    shared: Arc<Shared>,
    known: Arc<KnownChunks>,
    pending: Mutex<Pending>,
}

/// Durable, and in no index object yet.
#[derive(Default)]
struct Pending {
    entries: Vec<IndexEntry>,
    packs: Vec<PackId>,
}

impl IndexWriter {
    pub(crate) fn new(shared: Arc<Shared>, known: Arc<KnownChunks>) -> Self {
        Self {
            shared,
            known,
            pending: Mutex::default(),
        }
    }

    /// Learns what the store has: the index objects, every pack with its length, and the trailers
    /// of packs that no index lists, which runs that died have left.
    ///
    /// While something is known to be lost, no part of an earlier map is shared unread.
    pub(crate) fn load(&self) -> Result<(), RepositoryError> {
        for (_, frames) in self.shared.lost_objects()? {
            // One that cannot be read is `check`'s to report; something is lost all the same.
            self.known.note_loss();
            for frame in frames.iter().flatten() {
                self.known.note_lost_frame(&frame.place);
            }
        }
        self.load_without(&|_| false, &|_| false)
    }

    /// Does what [`IndexWriter::load`] does, as if some index objects and packs were not there.
    pub(crate) fn load_without(
        &self,
        no_index: &dyn Fn(&str) -> bool,
        no_pack: &dyn Fn(&PackId) -> bool,
    ) -> Result<(), RepositoryError> {
        let domain = self.shared.domain().id;
        // What other domains list is of no use here, but need not be asked what it is.
        let (mut listed, mut of_others) = (HashSet::new(), HashSet::new());
        for (object, id, size_bytes) in index_objects(&*self.shared.store)? {
            if no_index(&object) {
                continue;
            }
            // A broken index is as good as none: its packs are read by their trailers.
            match self.shared.open_index(&object, id, size_bytes) {
                Ok(directory) if directory.domain == domain => {
                    listed.extend(directory.packs.iter().copied());
                    self.known.add_index(object, directory);
                }
                Ok(directory) => of_others.extend(directory.packs),
                Err(_) => {}
            }
        }
        self.shared.store.list("forward/", &mut |object| {
            if let Some(pack) = forwarded_pack(&object.name) {
                self.known.add_moved(pack);
            }
        })?;
        let mut unlisted = Vec::new();
        self.shared.store.list("packs/", &mut |object| {
            let Some(pack) = PackId::from_object_name(&object.name) else {
                return;
            };
            if no_pack(&pack) {
                return;
            }
            self.known.add_pack(pack, object.size_bytes);
            let known = listed.contains(&pack) || of_others.contains(&pack);
            if !known && !self.known.is_condemned(&pack) {
                unlisted.push((pack, object.size_bytes));
            }
        })?;
        if self.shared.is_write_only() {
            // It can neither read the trailers of its chunk packs nor tell whose the others are.
            unlisted.clear();
        }
        self.look_for_missing(&listed, no_pack)?;
        // Many, where an index was lost.
        in_parallel(&unlisted, || {
            |(pack, size_bytes): &(PackId, u64)| {
                // A damaged pack is `repo check`'s to report; nothing is deduplicated against it.
                match self.shared.read_trailer(*pack, *size_bytes) {
                    Ok((header, frames)) if header.domain == domain => {
                        self.list(header.kind, *pack, *size_bytes, &frames)
                    }
                    _ => Ok(()),
                }
            }
        })?;
        // At once, so that what a dead run left is found like everything else.
        self.flush()
    }

    /// Notes a loss where a pack is not there that an index lists, and that was not collected: it
    /// was durable once.
    fn look_for_missing(
        &self,
        listed: &HashSet<PackId>,
        no_pack: &dyn Fn(&PackId) -> bool,
    ) -> Result<(), RepositoryError> {
        let there = |pack| self.known.has_pack(pack) || self.known.is_condemned(pack);
        for pack in listed.iter().filter(|pack| !there(pack)) {
            // A listing may lag; asking for the pack itself does not.
            match self.shared.store.size_bytes(&pack.object_name()) {
                Ok(size_bytes) if !no_pack(pack) => self.known.add_pack(*pack, size_bytes),
                Err(error) if error.kind() != StoreErrorKind::NotFound => return Err(error.into()),
                _ => {
                    self.known.note_loss();
                    // One is enough to know; more need not be asked for.
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Remembers what a durable pack holds, and writes an index object when that is much.
    pub(crate) fn list(
        &self,
        kind: PackKind,
        pack: PackId,
        size_bytes: u64,
        frames: &[TrailerEntry],
    ) -> Result<(), RepositoryError> {
        let entry = |frame: &TrailerEntry| {
            let (offset, stored_bytes) = (frame.offset, frame.stored_bytes);
            let locator = Locator {
                pack,
                offset,
                stored_bytes,
            };
            IndexEntry {
                name: frame.name,
                locator,
            }
        };
        self.known.add_pack(pack, size_bytes);
        for frame in frames.iter().map(entry) {
            self.known.add_durable(kind, frame.name, frame.locator);
        }
        let full = {
            let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            pending.entries.extend(frames.iter().map(entry));
            pending.packs.push(pack);
            pending.entries.len() >= INDEX_ENTRIES
        };
        if full { self.flush() } else { Ok(()) }
    }

    /// Writes an index object of what is in none yet.
    pub(crate) fn flush(&self) -> Result<(), RepositoryError> {
        let Pending { mut entries, packs } = {
            let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *pending)
        };
        if packs.is_empty() {
            return Ok(());
        }
        let IndexObject { id, bytes } =
            IndexObject::build(self.shared.domain(), &mut entries, packs)?;
        let object = id.index_object_name();
        self.shared.store.put_new(&object, &bytes)?;
        let directory = IndexDirectory::from_bytes(self.shared.domain(), id, &bytes)?;
        self.known.add_index(object, directory);
        self.known.forget(entries.iter().map(|entry| &entry.name));
        Ok(())
    }
}
