//! Everything that one run writes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain_view::Shared;
use crate::features::refuse_unknown_features;
use crate::format::{Locator, PackKind};
use crate::read::MapRoot;
use crate::write::condemned_watch::CondemnedWatch;
use crate::write::index_writer::IndexWriter;
use crate::write::known_chunks::KnownChunks;
use crate::write::pack_builder::{FinishedPack, PackBuilder, StagedFrames};
use crate::write::pack_uploader::PackUploader;
use crate::write::run_keeper::RunKeeper;
use crate::{Repository, RepositoryError};

/// Map nodes are small and read one by one: their packs need not be as large.
const NODE_PACK_DIVISOR: u32 = 4;

/// More workers than this gain nothing that a store could take, and each has buffers of its own.
const WORKERS_MAX: usize = 9;

/// Everything that one run writes: streams, then points.
///
/// After a failed write every later call fails. Dropping it loses what was not flushed, which no
/// restore point refers to.
pub struct RunWriter {
    repository: Repository,
    known: Arc<KnownChunks>,
    index: Arc<IndexWriter>,
    chunks: PackBuilder,
    nodes: PackBuilder,
    uploader: PackUploader,
    watch: Mutex<CondemnedWatch>,
    workers: usize,
    /// Held while a stream is stored: a failed one leaves claims that the next must not wait for.
    one_stream: Mutex<()>,
}

impl Repository {
    /// Begins a run: loads the index, and what runs that died left to be used.
    ///
    /// `workers` threads read and encode; 0 takes one more than the machine has processors.
    pub fn begin_run(&self, workers: usize) -> Result<RunWriter, RepositoryError> {
        let shared = &self.shared;
        refuse_unknown_features(&*shared.store, "features/")?;
        // New data goes under the newest keys, also when this handle was opened long ago.
        shared.reload_keys()?;
        let known = Arc::new(KnownChunks::new(Arc::clone(shared)));
        // Before anything else is listed: what is deleted since is known as condemned.
        let watch = CondemnedWatch::begin(Arc::clone(shared), Arc::clone(&known))?;
        let target = |bytes: u32| usize::try_from(bytes).unwrap_or(usize::MAX);
        let pack_bytes = shared.file.pack_bytes;
        let chunks = PackBuilder::new(PackKind::Chunks, target(pack_bytes));
        let nodes = PackBuilder::new(PackKind::MapNodes, target(pack_bytes / NODE_PACK_DIVISOR));
        let index = Arc::new(IndexWriter::new(Arc::clone(shared), Arc::clone(&known)));
        index.load()?;
        let keeper = RunKeeper::new(Arc::clone(shared), watch.looked_at());
        let uploader = PackUploader::start(
            Arc::clone(shared),
            Arc::clone(&known),
            Arc::clone(&index),
            keeper,
        );
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        let workers = if workers == 0 {
            (processors + 1).min(WORKERS_MAX)
        } else {
            workers
        };
        Ok(RunWriter {
            repository: self.clone(),
            known,
            index,
            chunks,
            nodes,
            uploader,
            watch: Mutex::new(watch),
            workers,
            one_stream: Mutex::new(()),
        })
    }
}

impl RunWriter {
    /// Returns the repository that the run writes to.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.repository.shared
    }

    pub(crate) fn known(&self) -> &KnownChunks {
        &self.known
    }

    pub(crate) fn workers(&self) -> usize {
        self.workers
    }

    pub(crate) fn watch(&self) -> &Mutex<CondemnedWatch> {
        &self.watch
    }

    /// Waits for its turn.
    pub(crate) fn turn(&self) -> MutexGuard<'_, ()> {
        self.one_stream
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes every later call fail, if this one did.
    pub(crate) fn poison<T>(
        &self,
        result: Result<T, RepositoryError>,
    ) -> Result<T, RepositoryError> {
        self.uploader.poison(result)
    }

    /// Remembers how a map came to be: `shared_unread` is the earlier map of which parts were
    /// taken over without being looked at.
    pub(crate) fn note_stored(&self, root: Option<MapRoot>, shared_unread: Option<MapRoot>) {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let name = |root: MapRoot| root.name;
        watch.note_stored(root.map(name), shared_unread.map(name));
    }

    /// Waits for its turn to store a stream.
    pub(crate) fn begin_stream(&self) -> MutexGuard<'_, ()> {
        let turn = self.turn();
        self.known.begin_stream();
        turn
    }

    pub(crate) fn check(&self) -> Result<(), RepositoryError> {
        self.uploader.check()
    }

    /// Puts frames into packs; a pack that became full is handed to the uploader.
    ///
    /// A pack of map nodes is written only when everything that its nodes can point to is durable.
    /// So a node that is found later, also one that a run left which died, was whole once.
    pub(crate) fn append(
        &self,
        kind: PackKind,
        staged: &StagedFrames,
    ) -> Result<Vec<Locator>, RepositoryError> {
        let builder = match kind {
            PackKind::Chunks => &self.chunks,
            PackKind::MapNodes => &self.nodes,
        };
        let (locators, full) = builder.append(self.shared(), staged)?;
        match full {
            Some(pack) if kind == PackKind::MapNodes => self.put_nodes(pack)?,
            Some(pack) => self.uploader.put(kind, pack)?,
            None => {}
        }
        Ok(locators)
    }

    /// Hands a pack of map nodes over, once all chunks are durable, and all nodes before it.
    fn put_nodes(&self, pack: FinishedPack) -> Result<(), RepositoryError> {
        self.make_chunks_durable()?;
        let waited = self.nodes.wait_until_durable(pack.ticket.number());
        self.uploader.check().and(waited)?;
        self.uploader.put(PackKind::MapNodes, pack)
    }

    fn make_chunks_durable(&self) -> Result<(), RepositoryError> {
        let begun = self.chunks.begun();
        if let Some(pack) = self.chunks.finish()? {
            self.uploader.put(PackKind::Chunks, pack)?;
        }
        let waited = self.chunks.wait_until_durable(begun);
        // Why it failed is the uploader's to say.
        self.uploader.check().and(waited)
    }

    /// Returns once all that was stored is durable and listed in an index.
    pub fn flush(&self) -> Result<(), RepositoryError> {
        let _turn = self.turn();
        self.flush_in_turn()
    }

    pub(crate) fn flush_in_turn(&self) -> Result<(), RepositoryError> {
        let begun = self.nodes.begun();
        match self.nodes.finish()? {
            Some(pack) => self.put_nodes(pack)?,
            None => self.make_chunks_durable()?,
        }
        let waited = self.nodes.wait_until_durable(begun);
        self.uploader.check().and(waited)?;
        self.uploader.poison(self.index.flush())
    }

    /// Leads older points to what they had lost and this run, or another, has stored again.
    pub(crate) fn heal(&self) -> Result<(), RepositoryError> {
        let find = |name: &_| self.known.find(name);
        let is_there = |pack: &_| self.known.has_pack(pack);
        let is_usable = |place: &_| self.known.usable(place);
        self.shared()
            .heal_what_is_known_to_be_lost(&find, &is_there, &is_usable)
    }
}
