//! Reads every byte of a restore point back.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::format::EntryKind;
use crate::maintain::Damage;
use crate::read::{Leaf, RepositoryDisk};
use crate::stream::Stream;
use crate::{Repository, RepositoryError, RepositoryErrorKind, RestorePoint};

/// What is read at a time, in bytes.
const READ_BYTES: u64 = 1 << 20;

/// Hears how a verification gets on. Called from several threads.
pub trait VerifyObserver: Sync {
    /// `bytes` more of the streams are done.
    fn advanced(&self, bytes: u64);

    /// Says whether to stop.
    fn cancelled(&self) -> bool;
}

/// What a verification found.
#[derive(Debug, Default, serde::Serialize)]
pub struct VerifyReport {
    /// Streams that were read.
    pub streams: usize,
    /// Chunks that were read, authenticated and named anew.
    pub chunks: u64,
    /// Their length in bytes.
    pub data_bytes: u64,
    /// Bytes that were left out on purpose when the point was made.
    pub skipped_bytes: u64,
    /// What is not as it was written; empty for a good point.
    pub damage: Vec<Damage>,
}

struct Job<'a> {
    disk: RepositoryDisk,
    stream: &'a Stream,
    observer: &'a dyn VerifyObserver,
    report: &'a Mutex<VerifyReport>,
    next: AtomicU64,
    cancelled: AtomicBool,
}

impl Repository {
    /// Reads every chunk of a point, authenticates it and computes its name anew.
    ///
    /// Damage is in the report; an error means that the verification itself could not be done.
    pub fn verify_point(
        &self,
        point: &RestorePoint,
        observer: &dyn VerifyObserver,
    ) -> Result<VerifyReport, RepositoryError> {
        let report = Mutex::new(VerifyReport::default());
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        for stream in point.all_streams() {
            let disk = match self.open_stream(stream) {
                Ok(disk) => disk,
                Err(error) => {
                    let damage = Damage::of_stream(point, stream, 0..stream.size_bytes, &error);
                    lock(&report).damage.push(damage);
                    continue;
                }
            };
            let (next, cancelled) = (AtomicU64::new(0), AtomicBool::new(false));
            let job = Job {
                disk,
                stream,
                observer,
                report: &report,
                next,
                cancelled,
            };
            let results: Vec<Result<(), RepositoryError>> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..threads)
                    .map(|_| scope.spawn(|| job.work(point)))
                    .collect();
                threads
                    .into_iter()
                    .map(|thread| thread.join().unwrap_or_else(|_| Err(thread_died())))
                    .collect()
            });
            results.into_iter().collect::<Result<(), _>>()?;
            lock(&report).streams += 1;
        }
        let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
        report.damage.sort();
        Ok(report)
    }
}

fn thread_died() -> RepositoryError {
    RepositoryError::new(
        RepositoryErrorKind::Poisoned,
        "a thread of this verification died",
    )
}

fn lock(report: &Mutex<VerifyReport>) -> std::sync::MutexGuard<'_, VerifyReport> {
    report.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Job<'_> {
    fn work(&self, point: &RestorePoint) -> Result<(), RepositoryError> {
        let shape = self.disk.map().shape;
        let mut buffer = vec![0; usize::try_from(READ_BYTES.max(shape.chunk_bytes)).unwrap_or(0)];
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            if index >= shape.leaves() || self.cancelled.load(Ordering::Relaxed) {
                return Ok(());
            }
            if self.observer.cancelled() {
                self.cancelled.store(true, Ordering::Relaxed);
                return Err(RepositoryError::new(
                    RepositoryErrorKind::Cancelled,
                    "cancelled",
                ));
            }
            let span = shape.leaf_span_bytes();
            let range = index * span..((index + 1) * span).min(shape.size_bytes);
            match self.disk.map().leaf(index) {
                Err(error) => self.damaged(point, range.clone(), &error)?,
                // Nothing of it is stored, so there is nothing to read.
                Ok(Leaf::Uniform(entry)) => {
                    if entry.kind() == EntryKind::Skipped {
                        lock(self.report).skipped_bytes += range.end - range.start;
                    }
                }
                Ok(leaf) => {
                    self.count(&leaf, index);
                    self.read(point, range.clone(), &mut buffer)?;
                }
            }
            self.observer.advanced(range.end - range.start);
        }
    }

    fn count(&self, leaf: &Leaf, index: u64) {
        let shape = self.disk.map().shape;
        let (mut chunks, mut data_bytes, mut skipped_bytes) = (0, 0, 0);
        for slot in 0..shape.entries(0, index) {
            let len_bytes = shape.chunk_len(index * 256 + slot as u64) as u64;
            match leaf.entry(slot).kind() {
                EntryKind::Stored => {
                    chunks += 1;
                    data_bytes += len_bytes;
                }
                EntryKind::Skipped => skipped_bytes += len_bytes,
                EntryKind::NotAllocated | EntryKind::Zero => {}
            }
        }
        let mut report = lock(self.report);
        report.chunks += chunks;
        report.data_bytes += data_bytes;
        report.skipped_bytes += skipped_bytes;
    }

    /// Reads a range; where that fails, chunk by chunk, to say which ones are lost.
    fn read(
        &self,
        point: &RestorePoint,
        range: Range<u64>,
        buffer: &mut [u8],
    ) -> Result<(), RepositoryError> {
        let chunk_bytes = self.disk.map().shape.chunk_bytes;
        let mut offset = range.start;
        while offset < range.end {
            let len = (range.end - offset).min(buffer.len() as u64);
            let part = &mut buffer[..usize::try_from(len).unwrap_or(0)];
            if self.disk.read(offset, part).is_err() {
                for chunk in
                    (offset..offset + len).step_by(usize::try_from(chunk_bytes).unwrap_or(1))
                {
                    let end = (chunk + chunk_bytes).min(range.end);
                    let part = &mut buffer[..usize::try_from(end - chunk).unwrap_or(0)];
                    if let Err(error) = self.disk.read(chunk, part) {
                        self.damaged(point, chunk..end, &error)?;
                    }
                }
            }
            offset += len;
        }
        Ok(())
    }

    fn damaged(
        &self,
        point: &RestorePoint,
        range: Range<u64>,
        error: &RepositoryError,
    ) -> Result<(), RepositoryError> {
        if !matches!(
            error.kind(),
            RepositoryErrorKind::Damaged | RepositoryErrorKind::Unsupported
        ) {
            // The store failed: that says nothing about what is stored.
            let what = format!("the verification could not go on: {error}");
            return Err(RepositoryError::new(error.kind(), what));
        }
        lock(self.report)
            .damage
            .push(Damage::of_stream(point, self.stream, range, error));
        Ok(())
    }
}
