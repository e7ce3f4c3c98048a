//! Several threads store the leaves of one stream.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use block_io::ByteRanges;

use crate::format::Entry;
use crate::read::MapReader;
use crate::write::chunk_source::ChunkSource;
use crate::write::known_chunks::KnownChunks;
use crate::write::span_worker::SpanWorker;
use crate::write::stream_tally::StreamTally;
use crate::write::{RunWriter, StreamObserver};
use crate::{RepositoryError, RepositoryErrorKind};

/// What the workers of a stream share.
pub(crate) struct StreamJob<'a> {
    pub(crate) run: &'a RunWriter,
    pub(crate) source: ChunkSource<'a>,
    pub(crate) previous: Option<&'a MapReader>,
    pub(crate) selection: Selection<'a>,
    pub(crate) observer: &'a dyn StreamObserver,
}

/// Which chunks are read.
#[derive(Clone, Copy)]
pub(crate) enum Selection<'a> {
    Everything,
    /// Those that `ranges` touch; the others are as the earlier map has them.
    Changed {
        ranges: &'a ByteRanges,
        /// The repository is known to have lost something: what it has lost is read as well.
        look_through: bool,
    },
}

/// Which leaves are stored.
pub(crate) enum LeafNumbers<'a> {
    All(u64),
    Some(&'a [u64]),
}

impl LeafNumbers<'_> {
    fn len(&self) -> usize {
        match self {
            Self::All(count) => usize::try_from(*count).unwrap_or(usize::MAX),
            Self::Some(numbers) => numbers.len(),
        }
    }

    fn get(&self, position: usize) -> Option<u64> {
        match self {
            Self::All(count) => Some(position as u64).filter(|number| number < count),
            Self::Some(numbers) => numbers.get(position).copied(),
        }
    }
}

/// Leaves that were stored.
pub(crate) struct StoredLeaves {
    /// Each as its parent's entry, in the order in which they were asked for.
    pub(crate) entries: Vec<Entry>,
    pub(crate) tally: StreamTally,
    /// The earlier map was trusted, and the repository has lost part of it: `entries` lack some.
    pub(crate) amiss: bool,
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

impl StreamJob<'_> {
    /// Stores the leaves with the run's workers.
    pub(crate) fn store(&self, leaves: &LeafNumbers<'_>) -> Result<StoredLeaves, RepositoryError> {
        let entries = Mutex::new(vec![Entry::NotAllocated; leaves.len()]);
        let total = Mutex::new(StreamTally::default());
        let next = AtomicU64::new(0);
        let amiss = AtomicBool::new(false);
        let failure = FirstFailure::default();
        let work = || -> Result<(), RepositoryError> {
            let mut worker = SpanWorker::new(self)?;
            while !failure.failed.load(Ordering::Acquire) && !amiss.load(Ordering::Acquire) {
                let position = next.fetch_add(1, Ordering::Relaxed);
                let position = usize::try_from(position).unwrap_or(usize::MAX);
                let Some(number) = leaves.get(position) else {
                    break;
                };
                // Before a leaf is begun nothing is claimed, so nobody waits for what ends here.
                let Some(entry) = worker.store_leaf(number)? else {
                    amiss.store(true, Ordering::Release);
                    break;
                };
                let mut entries = entries.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(slot) = entries.get_mut(position) {
                    *slot = entry;
                }
            }
            *total.lock().unwrap_or_else(PoisonError::into_inner) += worker.tally;
            Ok(())
        };
        let workers = self.run.workers().min(leaves.len());
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    // Also when a worker panics nobody may wait for what it claimed.
                    let guard = AbandonOnDrop(self.run.known());
                    match work() {
                        Ok(()) => std::mem::forget(guard),
                        Err(error) => failure.set(error),
                    }
                });
            }
        });
        // What the store says comes first: workers that waited only know that somebody failed.
        self.run.check()?;
        failure.take()?;
        Ok(StoredLeaves {
            entries: entries.into_inner().unwrap_or_else(PoisonError::into_inner),
            tally: total.into_inner().unwrap_or_else(PoisonError::into_inner),
            amiss: amiss.into_inner(),
        })
    }
}
