//! What of a disk differs from a stream, told by the names of its chunks.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use block_io::{BlockDevice, ByteRanges, is_zero};

use crate::format::{Entry, EntryKind};
use crate::read::{MapReader, MapShape};
use crate::stream::Stream;
use crate::write::{ChunkSource, StreamObserver};
use crate::{Repository, RepositoryError, RepositoryErrorKind};

/// Nothing is left out of a comparison but what the stream itself leaves out.
static NOTHING: ByteRanges = ByteRanges::new();

/// What of a disk differs from a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceDifference {
    /// The chunks that differ, in bytes of the disk.
    pub ranges: ByteRanges,
    /// Bytes that were read of the disk.
    pub read_bytes: u64,
}

impl Repository {
    /// Reads a disk once, names what it holds, and says in which chunks it differs from `stream`.
    /// No data of the repository is read. What the device says is empty is not read; what the
    /// stream left out on purpose does not differ, whatever is there.
    ///
    /// `within` limits the comparison to the chunks that it touches.
    ///
    /// # Errors
    ///
    /// `Unsupported` where the sizes differ; `Cancelled`; those of the disk and of the map.
    pub fn compare_device(
        &self,
        device: &dyn BlockDevice,
        stream: &Stream,
        within: Option<&ByteRanges>,
        observer: &dyn StreamObserver,
    ) -> Result<DeviceDifference, RepositoryError> {
        if device.size_bytes() != stream.size_bytes {
            let what = format!(
                "the disk has {} bytes, that of the restore point {}",
                device.size_bytes(),
                stream.size_bytes
            );
            return Err(RepositoryError::new(RepositoryErrorKind::Unsupported, what));
        }
        let map = self.open_map(stream)?;
        let comparison = Comparison {
            source: ChunkSource {
                device,
                shape: map.shape,
                skip: &NOTHING,
            },
            within: within.map(|within| within.rounded(map.shape.chunk_bytes, stream.size_bytes)),
            map: &map,
            observer,
            next_leaf: AtomicU64::new(0),
            found: Mutex::default(),
        };
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads)
                .map(|_| scope.spawn(|| comparison.work()))
                .collect();
            threads.into_iter().try_for_each(|thread| {
                let died = |_| {
                    let what = "a thread of this comparison died";
                    Err(RepositoryError::new(RepositoryErrorKind::Poisoned, what))
                };
                thread.join().unwrap_or_else(died)
            })
        })?;
        let found = comparison.found.into_inner();
        Ok(found.unwrap_or_else(PoisonError::into_inner))
    }
}

/// What the threads of a comparison share.
struct Comparison<'a> {
    source: ChunkSource<'a>,
    /// In whole chunks.
    within: Option<ByteRanges>,
    map: &'a MapReader,
    observer: &'a dyn StreamObserver,
    next_leaf: AtomicU64,
    found: Mutex<DeviceDifference>,
}

impl Comparison<'_> {
    fn found(&self) -> MutexGuard<'_, DeviceDifference> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) -> Result<(), RepositoryError> {
        let shape = self.source.shape;
        let mut buffer = self.source.batch_buffer();
        loop {
            let leaf = self.next_leaf.fetch_add(1, Ordering::Relaxed);
            if leaf >= shape.leaves() {
                return Ok(());
            }
            if let Err(error) = self.compare_leaf(leaf, &mut buffer) {
                // The other threads have nothing more to do.
                self.next_leaf.store(shape.leaves(), Ordering::Relaxed);
                return Err(error);
            }
        }
    }

    fn compare_leaf(&self, leaf: u64, buffer: &mut [u8]) -> Result<(), RepositoryError> {
        for range in self.wanted(leaf) {
            let mut chunk = range.start;
            while chunk < range.end {
                if self.observer.cancelled() {
                    let kind = RepositoryErrorKind::Cancelled;
                    return Err(RepositoryError::new(kind, "cancelled"));
                }
                let end = range.end.min(chunk + self.source.batch_chunks() as u64);
                self.compare(chunk..end, buffer)?;
                chunk = end;
            }
        }
        Ok(())
    }

    /// Returns the chunks of a leaf that are compared.
    fn wanted(&self, leaf: u64) -> Vec<Range<u64>> {
        let MapShape { chunk_bytes, .. } = self.source.shape;
        let span = self.source.shape.span(0, leaf);
        let chunks = |range: Range<u64>| range.start / chunk_bytes..range.end.div_ceil(chunk_bytes);
        match &self.within {
            None => vec![chunks(span)],
            Some(within) => within.within(span).map(chunks).collect(),
        }
    }

    /// Compares a batch of chunks of one leaf.
    fn compare(&self, chunks: Range<u64>, buffer: &mut [u8]) -> Result<(), RepositoryError> {
        let source = self.source;
        let leaf = self.map.leaf(chunks.start / 256)?;
        // Below 256.
        let entry = |chunk: u64| leaf.entry(usize::try_from(chunk % 256).unwrap_or(0));
        let mut kinds = source.classify(chunks.clone())?;
        for (kind, chunk) in kinds.iter_mut().zip(chunks.clone()) {
            if entry(chunk).kind() == EntryKind::Skipped {
                *kind = EntryKind::Skipped;
            }
        }
        let read_bytes = source.read(chunks.start, &kinds, buffer)?;
        let batch = chunks
            .clone()
            .zip(kinds)
            .zip(buffer.chunks(source.chunk_bytes()));
        let different: Vec<Range<u64>> = batch
            .filter(|((chunk, kind), bytes)| {
                let content = bytes.get(..source.shape.chunk_len(*chunk));
                !self.same(entry(*chunk), *kind, content.unwrap_or_default())
            })
            .map(|((chunk, _), _)| source.span(chunk))
            .collect();
        let mut found = self.found();
        found.read_bytes += read_bytes;
        for range in different {
            found.ranges.insert(range.start, range.end - range.start);
        }
        drop(found);
        let done = chunks.map(|chunk| source.shape.chunk_len(chunk) as u64);
        self.observer.advanced(done.sum(), 0);
        Ok(())
    }

    /// `content` was read where `kind` is `Stored`.
    fn same(&self, entry: Entry, kind: EntryKind, content: &[u8]) -> bool {
        match (entry, kind) {
            (_, EntryKind::Skipped) => true,
            (Entry::Stored { name, .. }, EntryKind::Stored) => {
                self.map.shared.naming.chunk(content) == name
            }
            // A chunk of zeros is never stored.
            (Entry::Stored { .. }, _) => false,
            (_, EntryKind::Stored) => is_zero(content),
            _ => true,
        }
    }
}
