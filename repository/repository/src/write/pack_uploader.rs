//! Puts finished packs into the store and lists them in index objects.

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::format::{
    FOOTER_BYTES, Footer, IndexDirectory, IndexEntry, IndexObject, Locator, PackId, PackKind,
    TrailerEntry,
};
use crate::repository::Shared;
use crate::write::known_chunks::KnownChunks;
use crate::write::pack_builder::{FinishedPack, PackBuilder};
use crate::{RepositoryError, RepositoryErrorKind};

/// Packs that are written at the same time. Each holds a buffer of a pack's size.
const UPLOADS: usize = 2;
/// Names in memory before an index object is written: it bounds the memory of a long run.
const INDEX_ENTRIES: usize = 1 << 17;

/// What fills the packs of each kind.
pub(crate) struct Builders {
    pub(crate) chunks: PackBuilder,
    pub(crate) nodes: PackBuilder,
}

impl Builders {
    pub(crate) fn of(&self, kind: PackKind) -> &PackBuilder {
        match kind {
            PackKind::Chunks => &self.chunks,
            PackKind::MapNodes => &self.nodes,
        }
    }
}

/// What the uploader's threads share.
struct State {
    shared: Arc<Shared>,
    known: Arc<KnownChunks>,
    builders: Arc<Builders>,
    progress: Mutex<Progress>,
    changed: Condvar,
}

#[derive(Default)]
struct Progress {
    under_way: usize,
    failure: Option<String>,
    failure_kind: Option<RepositoryErrorKind>,
    /// Durable, and in no index object yet.
    entries: Vec<IndexEntry>,
    packs: Vec<PackId>,
}

impl Progress {
    fn take(&mut self) -> (Vec<IndexEntry>, Vec<PackId>) {
        (
            std::mem::take(&mut self.entries),
            std::mem::take(&mut self.packs),
        )
    }
}

/// Puts finished packs into the store with threads of its own.
pub(crate) struct PackUploader {
    state: Arc<State>,
    queue: Option<SyncSender<FinishedPack>>,
    threads: Vec<JoinHandle<()>>,
}

impl PackUploader {
    pub(crate) fn start(
        shared: Arc<Shared>,
        known: Arc<KnownChunks>,
        builders: Arc<Builders>,
    ) -> Self {
        let progress = Mutex::new(Progress::default());
        let state = Arc::new(State {
            shared,
            known,
            builders,
            progress,
            changed: Condvar::new(),
        });
        // Without room in between: a pack waits in the hands of the worker that filled it.
        let (queue, receiver) = sync_channel(0);
        let receiver = Arc::new(Mutex::new(receiver));
        let threads = (0..UPLOADS)
            .map(|_| {
                let (state, receiver) = (Arc::clone(&state), Arc::clone(&receiver));
                std::thread::spawn(move || upload(&state, &receiver))
            })
            .collect();
        Self {
            state,
            queue: Some(queue),
            threads,
        }
    }

    /// Hands a pack over; waits while all threads are busy.
    pub(crate) fn put(&self, pack: FinishedPack) -> Result<(), RepositoryError> {
        let give_back = |pack: FinishedPack| {
            self.state.builders.of(pack.kind).give_back(pack.bytes);
        };
        if let Err(error) = self.check() {
            give_back(pack);
            return Err(error);
        }
        let stopped =
            || RepositoryError::new(RepositoryErrorKind::Poisoned, "the uploader has stopped");
        let Some(queue) = &self.queue else {
            return Err(stopped());
        };
        lock(&self.state).under_way += 1;
        queue.send(pack).map_err(|unsent| {
            give_back(unsent.0);
            stopped()
        })
    }

    /// Fails if any write of this run failed.
    pub(crate) fn check(&self) -> Result<(), RepositoryError> {
        failure(&lock(&self.state))
    }

    /// Waits until all packs that were handed over are durable.
    pub(crate) fn wait(&self) -> Result<(), RepositoryError> {
        let mut progress = lock(&self.state);
        while progress.under_way > 0 && progress.failure.is_none() {
            progress = self
                .state
                .changed
                .wait(progress)
                .unwrap_or_else(PoisonError::into_inner);
        }
        failure(&progress)
    }

    /// Lists in an index object what is durable and in none yet.
    pub(crate) fn write_index(&self) -> Result<(), RepositoryError> {
        let (entries, packs) = lock(&self.state).take();
        self.state.write_index(entries, packs)
    }

    /// Loads the index objects, and the trailers of packs that none of them lists.
    pub(crate) fn load_index(&self) -> Result<(), RepositoryError> {
        let state = &self.state;
        let mut listed = HashSet::new();
        let mut objects = Vec::new();
        state
            .shared
            .store
            .list("index/", &mut |object| objects.push(object))?;
        objects.sort_unstable();
        for object in objects {
            // A broken index is as good as none: its packs are read by their trailers.
            let Some(id) = object
                .name
                .strip_prefix("index/")
                .and_then(crate::hex::decode_array)
            else {
                continue;
            };
            let domain = state.shared.domain();
            let open =
                IndexDirectory::open(domain, PackId(id), object.size_bytes, |offset, buf| {
                    Ok(state.shared.store.get_range(&object.name, offset, buf)?)
                });
            if let Ok(directory) = open {
                listed.extend(directory.packs.iter().copied());
                state.known.add_index(object.name, directory);
            }
        }
        let mut unlisted = Vec::new();
        let mut missing = listed.clone();
        state.shared.store.list("packs/", &mut |object| {
            let Some(pack) = PackId::from_object_name(&object.name) else {
                return;
            };
            missing.remove(&pack);
            if !listed.contains(&pack) {
                unlisted.push((pack, object.size_bytes));
            }
        })?;
        state.known.set_missing(missing);
        for (pack, size_bytes) in unlisted {
            // A damaged pack is `repo check`'s to report; nothing is deduplicated against it.
            if let Ok((_, entries)) = state.shared.read_trailer(pack, size_bytes) {
                state.list(pack, &entries)?;
            }
        }
        Ok(())
    }
}

impl Drop for PackUploader {
    fn drop(&mut self) {
        drop(self.queue.take());
        for thread in self.threads.drain(..) {
            // A thread that panicked has poisoned the run already.
            drop(thread.join());
        }
    }
}

fn lock(state: &State) -> std::sync::MutexGuard<'_, Progress> {
    state
        .progress
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

fn failure(progress: &Progress) -> Result<(), RepositoryError> {
    match &progress.failure {
        None => Ok(()),
        Some(message) => {
            let kind = progress
                .failure_kind
                .unwrap_or(RepositoryErrorKind::Poisoned);
            Err(RepositoryError::new(kind, message.clone()))
        }
    }
}

fn upload(state: &State, receiver: &Mutex<Receiver<FinishedPack>>) {
    loop {
        let next = receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        let Ok(pack) = next else { return };
        // After a failure packs are dropped unwritten: nobody will refer to them.
        let failed = lock(state).failure.is_some();
        let result = if failed { Ok(()) } else { state.put(&pack) };
        state.builders.of(pack.kind).give_back(pack.bytes);
        let mut progress = lock(state);
        progress.under_way -= 1;
        if let Err(error) = result {
            progress.failure_kind.get_or_insert(error.kind());
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            progress
                .failure
                .get_or_insert(format!("{error}{}", cause.unwrap_or_default()));
            state.known.abandon();
        }
        drop(progress);
        state.changed.notify_all();
    }
}

impl State {
    fn put(&self, pack: &FinishedPack) -> Result<(), RepositoryError> {
        let store = &self.shared.store;
        store.put_new(&pack.id.object_name(), &pack.bytes)?;
        self.list(pack.id, &pack.entries)
    }

    /// Remembers what a durable pack holds, and writes an index object when that is much.
    fn list(&self, pack: PackId, frames: &[TrailerEntry]) -> Result<(), RepositoryError> {
        let entry = |frame: &TrailerEntry| {
            let TrailerEntry {
                name,
                offset,
                stored_bytes,
                ..
            } = *frame;
            IndexEntry {
                name,
                locator: Locator {
                    pack,
                    offset,
                    stored_bytes,
                },
            }
        };
        for frame in frames.iter().map(entry) {
            self.known.resolve(&frame.name, frame.locator);
        }
        let mut progress = lock(self);
        progress.entries.extend(frames.iter().map(entry));
        progress.packs.push(pack);
        if progress.entries.len() < INDEX_ENTRIES {
            return Ok(());
        }
        let (entries, packs) = progress.take();
        drop(progress);
        self.write_index(entries, packs)
    }

    fn write_index(
        &self,
        mut entries: Vec<IndexEntry>,
        packs: Vec<PackId>,
    ) -> Result<(), RepositoryError> {
        if packs.is_empty() {
            return Ok(());
        }
        let domain = self.shared.domain();
        let IndexObject { id, bytes } = IndexObject::build(domain, &mut entries, packs)?;
        let object = id.index_object_name();
        self.shared.store.put_new(&object, &bytes)?;
        let read = |offset: u64, buf: &mut [u8]| {
            // The directory is opened from the bytes that were just written.
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            let part = offset
                .checked_add(buf.len())
                .and_then(|end| bytes.get(offset..end));
            let part = part.ok_or_else(|| {
                RepositoryError::new(RepositoryErrorKind::Damaged, "an index object is too short")
            })?;
            buf.copy_from_slice(part);
            Ok(())
        };
        let directory = IndexDirectory::open(domain, id, bytes.len() as u64, read)?;
        self.known.add_index(object, directory);
        self.known.forget(entries.iter().map(|entry| &entry.name));
        Ok(())
    }
}

impl Shared {
    /// Reads what a pack holds.
    pub(crate) fn read_trailer(
        &self,
        pack: PackId,
        size_bytes: u64,
    ) -> Result<(PackKind, Vec<TrailerEntry>), RepositoryError> {
        let object = pack.object_name();
        let named = |error: RepositoryError| error.in_object(&object);
        let mut header = [0; crate::format::HEADER_BYTES];
        self.store.get_range(&object, 0, &mut header)?;
        let header = crate::format::Header::parse(&header, pack).map_err(named)?;
        let key = self.key_of(header).map_err(named)?;
        let footer_offset = size_bytes.saturating_sub(FOOTER_BYTES as u64);
        let mut footer = [0; FOOTER_BYTES];
        self.store.get_range(&object, footer_offset, &mut footer)?;
        let footer = Footer::parse(&footer, size_bytes).map_err(named)?;
        let mut trailer = vec![0; footer.trailer_bytes];
        self.store
            .get_range(&object, footer.trailer_offset, &mut trailer)?;
        Ok((
            header.kind,
            footer.open_trailer(&key, &mut trailer).map_err(named)?,
        ))
    }
}
