//! Stores a block device as a stream.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use block_io::BlockDevice;

use crate::format::Entry;
use crate::read::{MapReader, MapShape};
use crate::stream::{Stream, StreamRoot, StreamStatistics};
use crate::write::RunWriter;
use crate::write::known_chunks::KnownChunks;
use crate::write::span_worker::SpanWorker;
use crate::{RepositoryError, RepositoryErrorKind};

/// Hears how a stream gets on. Called from several threads.
pub trait StreamObserver: Sync {
    /// `stream_bytes` more of the stream are done, for which `stored_bytes` were added.
    fn advanced(&self, stream_bytes: u64, stored_bytes: u64);

    /// Says whether to stop.
    fn cancelled(&self) -> bool;
}

/// A stream that was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredStream {
    /// Where its map begins; none for an empty stream.
    pub root: Option<StreamRoot>,
    /// What was read and stored.
    pub statistics: StreamStatistics,
}

/// Leaves that are kept in memory while a stream is stored, 64 bytes each: 256 TiB at 64 KiB.
const LEAVES_MAX: usize = 1 << 24;

/// What the workers of a stream share.
pub(crate) struct StreamJob<'a> {
    pub(crate) run: &'a RunWriter,
    pub(crate) device: &'a dyn BlockDevice,
    pub(crate) shape: MapShape,
    pub(crate) previous: Option<&'a MapReader>,
    pub(crate) observer: &'a dyn StreamObserver,
}

/// Tells those who wait for a worker's claims that it has given up.
struct AbandonOnDrop<'a>(&'a KnownChunks);

impl Drop for AbandonOnDrop<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// The first failure of several threads; the others stop when they see it.
#[derive(Default)]
struct FirstFailure {
    failed: AtomicBool,
    error: Mutex<Option<RepositoryError>>,
}

impl FirstFailure {
    fn set(&self, error: RepositoryError) {
        self.failed.store(true, Ordering::Release);
        let mut first = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        // A thread that gave up because another failed must not hide why.
        let replaces = first
            .as_ref()
            .is_none_or(|e| e.kind() == RepositoryErrorKind::Poisoned);
        if replaces {
            *first = Some(error);
        }
    }

    fn take(&self) -> Result<(), RepositoryError> {
        let error = self
            .error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        error.map_or(Ok(()), Err)
    }
}

impl RunWriter {
    /// Reads `device` and stores what the repository does not have.
    ///
    /// What the device says is zero or not allocated is not read. A chunk that `previous` has at
    /// the same place is recognised by its name without a lookup. Nothing that was stored can be
    /// seen before a point is published.
    pub fn store_stream(
        &self,
        device: &dyn BlockDevice,
        previous: Option<&Stream>,
        observer: &dyn StreamObserver,
    ) -> Result<StoredStream, RepositoryError> {
        let _turn = self.begin_stream();
        let shape = MapShape::new(device.size_bytes(), self.repository().chunk_bytes())?;
        // A map that cannot be read is no reason to fail: all is looked up instead.
        let previous = previous.and_then(|stream| self.repository().open_map(stream).ok());
        let job = StreamJob {
            run: self,
            device,
            shape,
            previous: previous.as_ref(),
            observer,
        };
        let leaf_count = usize::try_from(shape.leaves()).unwrap_or(usize::MAX);
        if leaf_count > LEAVES_MAX {
            let what = format!(
                "a disk of {} bytes is too large for this version",
                shape.size_bytes
            );
            return Err(RepositoryError::new(RepositoryErrorKind::Unsupported, what));
        }
        let leaves = Mutex::new(vec![Entry::NotAllocated; leaf_count]);
        let total = Mutex::new(StreamStatistics::default());
        let next = AtomicU64::new(0);
        let failure = FirstFailure::default();
        let work = || -> Result<(), RepositoryError> {
            let mut worker = SpanWorker::new(&job)?;
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= shape.leaves() || failure.failed.load(Ordering::Acquire) {
                    break;
                }
                let entry = worker.store_leaf(index)?;
                let mut leaves = leaves.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(leaf) = usize::try_from(index).ok().and_then(|i| leaves.get_mut(i)) {
                    *leaf = entry;
                }
            }
            *total.lock().unwrap_or_else(PoisonError::into_inner) += worker.statistics;
            Ok(())
        };
        let workers = self.workers().min(leaf_count.max(1));
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    // Also when a worker panics nobody may wait for what it claimed.
                    let guard = AbandonOnDrop(self.known());
                    match work() {
                        Ok(()) => std::mem::forget(guard),
                        Err(error) => failure.set(error),
                    }
                });
            }
        });
        // What the store says comes first: workers that waited only know that somebody failed.
        self.check()?;
        failure.take()?;
        let leaves = leaves.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (root, stored) = self.build_upper_levels(shape, leaves)?;
        let mut statistics = total.into_inner().unwrap_or_else(PoisonError::into_inner);
        statistics.stored_bytes += stored;
        Ok(StoredStream {
            root: root.map(StreamRoot::from_map),
            statistics,
        })
    }
}
