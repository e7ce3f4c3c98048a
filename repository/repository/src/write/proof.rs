//! Proves that what a source calls unchanged is.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use block_io::{BlockDevice, ByteRanges, is_zero};

use crate::format::{Entry, EntryKind};
use crate::read::{Leaf, MapReader};
use crate::stream::Stream;
use crate::write::changed_writer::check_same_size;
use crate::write::chunk_source::ChunkSource;
use crate::write::stream_writer::shape_to_store;
use crate::write::{RunWriter, SampleBudget, StreamObserver};
use crate::{RepositoryError, RepositoryErrorKind};

/// Places that a report lists; what is wrong in more is counted.
const PLACES_MAX: usize = 64;

/// What a proof leaves out by itself: what the earlier stream has left out it skips anyway.
static NOTHING: ByteRanges = ByteRanges::new();

/// What a proof found.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ProofReport {
    /// Chunks that were compared.
    pub chunks: u64,
    /// Bytes that were read of the source. Chunks of which it says that they hold nothing are
    /// compared without reading them.
    pub read_bytes: u64,
    /// Chunks that are not what the earlier stream has there: the source called them unchanged,
    /// and they have changed.
    pub different_chunks: u64,
    /// Where the first of them begin, in bytes of the disk, ascending.
    pub differences: Vec<u64>,
    /// Chunks of which the repository has lost what the earlier stream had. That says nothing
    /// about the source; [`RunWriter::store_changed`] of this run reads what is lost again.
    pub lost_chunks: u64,
    /// Where the first of them begin, in bytes of the disk, ascending.
    pub lost: Vec<u64>,
}

impl RunWriter {
    /// Reads some of what `changed` does not touch, and compares it with what `previous` has there.
    ///
    /// What is read is named and the name compared; nothing is stored, and no data of the
    /// repository is read. A chunk that holds nothing in the earlier stream must be zero, or the
    /// device must say that it holds nothing. The observer is asked whether to stop.
    ///
    /// Fails with `Unsupported` where the disk has another size than the earlier stream.
    pub fn prove_unchanged(
        &self,
        device: &dyn BlockDevice,
        previous: &Stream,
        changed: &ByteRanges,
        budget: &SampleBudget,
        observer: &dyn StreamObserver,
    ) -> Result<ProofReport, RepositoryError> {
        let shape = shape_to_store(self, device)?;
        check_same_size(previous, device)?;
        let source = ChunkSource {
            device,
            shape,
            skip: &NOTHING,
        };
        let map = self.open_earlier(previous);
        let pieces = Pieces {
            ranges: budget.choose(shape, changed).into_iter(),
            rest: 0..0,
            most: source.batch_chunks() as u64,
        };
        let proof = Proving {
            run: self,
            source,
            map: map.as_ref(),
            pieces: Mutex::new(pieces),
            observer,
        };
        let mut report = ProofReport::default();
        let parts: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.workers())
                .map(|_| scope.spawn(|| proof.work()))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_| Err(thread_died())))
                .collect()
        });
        for part in parts {
            report.add(part?);
        }
        if report.lost_chunks > 0 {
            self.known().note_loss();
        }
        Ok(report)
    }
}

fn thread_died() -> RepositoryError {
    let what = "a thread of this proof died";
    RepositoryError::new(RepositoryErrorKind::Poisoned, what)
}

/// Ranges of chunks in pieces of at most `most`, each in one leaf.
struct Pieces {
    ranges: std::vec::IntoIter<Range<u64>>,
    rest: Range<u64>,
    most: u64,
}

impl Pieces {
    fn clear(&mut self) {
        self.ranges = Vec::new().into_iter();
        self.rest = 0..0;
    }
}

impl Iterator for Pieces {
    type Item = Range<u64>;

    fn next(&mut self) -> Option<Range<u64>> {
        if self.rest.is_empty() {
            self.rest = self.ranges.next()?;
        }
        let start = self.rest.start;
        let leaf_end = (start / 256 + 1) * 256;
        let end = self.rest.end.min(leaf_end).min(start + self.most);
        self.rest.start = end;
        Some(start..end)
    }
}

/// What the threads of a proof share.
struct Proving<'a> {
    run: &'a RunWriter,
    source: ChunkSource<'a>,
    map: Option<&'a MapReader>,
    pieces: Mutex<Pieces>,
    observer: &'a dyn StreamObserver,
}

impl Proving<'_> {
    fn pieces(&self) -> MutexGuard<'_, Pieces> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) -> Result<ProofReport, RepositoryError> {
        let mut report = ProofReport::default();
        let mut buffer = self.source.batch_buffer();
        loop {
            let Some(piece) = self.pieces().next() else {
                return Ok(report);
            };
            let result = if self.observer.cancelled() {
                let kind = RepositoryErrorKind::Cancelled;
                Err(RepositoryError::new(kind, "cancelled"))
            } else {
                self.prove(piece, &mut buffer, &mut report)
            };
            if let Err(error) = result {
                // The other threads have nothing more to do.
                self.pieces().clear();
                return Err(error);
            }
        }
    }

    /// Compares chunks of one leaf.
    fn prove(
        &self,
        piece: Range<u64>,
        buffer: &mut [u8],
        report: &mut ProofReport,
    ) -> Result<(), RepositoryError> {
        let source = self.source;
        let leaf = self.map.map(|map| map.leaf(piece.start / 256));
        let Some(Ok(leaf)) = leaf else {
            for chunk in piece {
                report.note_lost(source.span(chunk).start);
            }
            return Ok(());
        };
        let entries: Vec<Entry> = piece.clone().map(|chunk| entry_of(&leaf, chunk)).collect();
        let mut kinds = source.classify(piece.clone())?;
        for (kind, entry) in kinds.iter_mut().zip(&entries) {
            if entry.kind() == EntryKind::Skipped {
                // Left out on purpose: whatever is there, nothing was claimed of it.
                *kind = EntryKind::Skipped;
            }
        }
        report.read_bytes += source.read(piece.start, &kinds, buffer)?;
        let chunks = buffer.chunks(source.chunk_bytes());
        for (((chunk, kind), entry), bytes) in piece.zip(kinds).zip(entries).zip(chunks) {
            if kind == EntryKind::Skipped {
                continue;
            }
            report.chunks += 1;
            let span = source.span(chunk);
            if !self.run.known().holds(&entry) {
                report.note_lost(span.start);
            }
            let content = &bytes[..source.shape.chunk_len(chunk)];
            if !self.same(entry, kind, content) {
                report.different_chunks += 1;
                report.differences.push(span.start);
            }
        }
        report.keep_the_first();
        Ok(())
    }

    /// Says whether a chunk is what the earlier stream has; `content` was read where `kind` is
    /// `Stored`.
    fn same(&self, entry: Entry, kind: EntryKind, content: &[u8]) -> bool {
        match (entry, kind) {
            (Entry::Stored { name, .. }, EntryKind::Stored) => {
                self.run.shared().naming.chunk(content) == name
            }
            // A chunk of zeros is never stored.
            (Entry::Stored { .. }, _) => false,
            (_, EntryKind::Stored) => is_zero(content),
            _ => true,
        }
    }
}

fn entry_of(leaf: &Leaf, chunk: u64) -> Entry {
    // Below 256.
    leaf.entry(usize::try_from(chunk % 256).unwrap_or(0))
}

impl ProofReport {
    fn note_lost(&mut self, offset: u64) {
        self.lost_chunks += 1;
        self.lost.push(offset);
        self.keep_the_first();
    }

    fn keep_the_first(&mut self) {
        for places in [&mut self.differences, &mut self.lost] {
            if places.len() > PLACES_MAX {
                places.sort_unstable();
                places.truncate(PLACES_MAX);
            }
        }
    }

    fn add(&mut self, part: Self) {
        self.chunks += part.chunks;
        self.read_bytes += part.read_bytes;
        self.different_chunks += part.different_chunks;
        self.lost_chunks += part.lost_chunks;
        self.differences.extend(part.differences);
        self.lost.extend(part.lost);
        self.keep_the_first();
        self.differences.sort_unstable();
        self.lost.sort_unstable();
    }
}
