//! Everything that one run writes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::format::{Locator, PackKind};
use crate::repository::Shared;
use crate::write::known_chunks::KnownChunks;
use crate::write::pack_builder::{PackBuilder, StagedFrames};
use crate::write::pack_uploader::{Builders, PackUploader};
use crate::{Repository, RepositoryError, RestorePoint};

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
    builders: Arc<Builders>,
    uploader: PackUploader,
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
        let known = Arc::new(KnownChunks::new(Arc::clone(shared)));
        let target = |bytes: u32| usize::try_from(bytes).unwrap_or(usize::MAX);
        let pack_bytes = shared.file.pack_bytes;
        let builders = Arc::new(Builders {
            chunks: PackBuilder::new(PackKind::Chunks, target(pack_bytes)),
            nodes: PackBuilder::new(PackKind::MapNodes, target(pack_bytes / NODE_PACK_DIVISOR)),
        });
        let uploader = PackUploader::start(
            Arc::clone(shared),
            Arc::clone(&known),
            Arc::clone(&builders),
        );
        uploader.load_index()?;
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        let workers = if workers == 0 {
            (processors + 1).min(WORKERS_MAX)
        } else {
            workers
        };
        Ok(RunWriter {
            repository: self.clone(),
            known,
            builders,
            uploader,
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

    /// Waits for its turn to store a stream.
    pub(crate) fn begin_stream(&self) -> MutexGuard<'_, ()> {
        let turn = self
            .one_stream
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.known.begin_stream();
        turn
    }

    pub(crate) fn check(&self) -> Result<(), RepositoryError> {
        self.uploader.check()
    }

    /// Puts frames into packs; a pack that became full is handed to the uploader.
    ///
    /// A pack of map nodes is written only when everything that its nodes can point to is durable.
    /// So a node that is found later, also one that a run left which died, is whole.
    pub(crate) fn append(
        &self,
        kind: PackKind,
        staged: &StagedFrames,
    ) -> Result<Vec<Locator>, RepositoryError> {
        let (locators, full) = self.builders.of(kind).append(self.shared(), staged)?;
        if let Some(pack) = full {
            if kind == PackKind::MapNodes {
                self.make_chunks_durable()?;
            }
            self.uploader.put(pack)?;
        }
        Ok(locators)
    }

    fn make_chunks_durable(&self) -> Result<(), RepositoryError> {
        if let Some(pack) = self.builders.chunks.finish()? {
            self.uploader.put(pack)?;
        }
        self.uploader.wait()
    }

    /// Returns once all that was stored is durable and listed in an index.
    pub fn flush(&self) -> Result<(), RepositoryError> {
        self.make_chunks_durable()?;
        if let Some(pack) = self.builders.nodes.finish()? {
            self.uploader.put(pack)?;
        }
        self.uploader.wait()?;
        self.uploader.write_index()
    }

    /// Publishes a point: flushes first, so that everything it needs is durable before it exists.
    pub fn publish(&self, point: &RestorePoint) -> Result<(), RepositoryError> {
        self.flush()?;
        self.repository.put_point(point)
    }
}
