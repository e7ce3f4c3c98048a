//! Copying a disk into a new image: the one copier, for conversion and for restore.
//!
//! Threads take spans of 1 MiB from a counter. What holds nothing or is zero is skipped without
//! being read, however long it is; what is read and turns out to be zero is not written.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use block_io::{BlockDevice, DiskError, DiskErrorKind, ExtentKind, NewImage};
use serde::Serialize;

use crate::zero_run::data_runs;

const SPAN_BYTES: u64 = 1 << 20;
/// Holes shorter than this between two pieces of data are read with them.
const READ_GAP_BYTES: u64 = 64 << 10;
/// Zeros shorter than this many pieces of 4 KiB are written with what surrounds them.
const WRITE_GAP_PIECES: usize = 15;
const MAX_THREADS: usize = 64;

/// Hears how a copy goes and says when it is to end.
pub trait CopyObserver: Sync {
    /// Says that this many more bytes of the disk are done, skipped ones included. Called from
    /// several threads.
    fn advanced(&self, bytes_of_disk: u64) {
        let _ = bytes_of_disk;
    }

    /// Returns whether the copy is to end. Asked before each MiB.
    fn cancelled(&self) -> bool {
        false
    }
}

/// An observer that wants to know nothing.
impl CopyObserver for () {}

/// What a copy did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct CopyReport {
    /// The size of the disk.
    pub size_bytes: u64,
    /// Bytes read from the source.
    pub bytes_read: u64,
    /// Bytes written to the target.
    pub bytes_written: u64,
}

/// Copies a disk into a new image with up to `threads` threads.
///
/// The target must be as large as the source, rounded up to a sector at most. All threads stop at
/// the first error, which is returned. Errors besides those of source and target: `OutOfRange`
/// where the sizes do not fit, `Cancelled` where the observer asked for it. The target is not
/// finished: that is the caller's next step.
pub fn copy(
    source: &dyn BlockDevice,
    target: &dyn NewImage,
    observer: &dyn CopyObserver,
    threads: usize,
) -> Result<CopyReport, DiskError> {
    let size_bytes = source.size_bytes();
    let padding = target.size_bytes().checked_sub(size_bytes);
    if padding.is_none_or(|padding| padding >= 4096) {
        return Err(DiskError::new(
            DiskErrorKind::OutOfRange,
            format!(
                "the target has {} bytes, expected {size_bytes}",
                target.size_bytes()
            ),
        ));
    }
    let job = Job {
        source,
        target,
        observer,
        size_bytes,
        next_span: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        bytes_read: AtomicU64::new(0),
        bytes_written: AtomicU64::new(0),
        first_error: Mutex::new(None),
    };
    let spans = usize::try_from(size_bytes.div_ceil(SPAN_BYTES)).unwrap_or(MAX_THREADS);
    let threads = threads.clamp(1, MAX_THREADS).min(spans.max(1));
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| job.run());
        }
        job.run();
    });
    let first_error = job.first_error.into_inner();
    match first_error.unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(CopyReport {
            size_bytes,
            bytes_read: job.bytes_read.into_inner(),
            bytes_written: job.bytes_written.into_inner(),
        }),
    }
}

struct Job<'a> {
    source: &'a dyn BlockDevice,
    target: &'a dyn NewImage,
    observer: &'a dyn CopyObserver,
    size_bytes: u64,
    /// The first span that no thread has taken.
    next_span: AtomicU64,
    stop: AtomicBool,
    bytes_read: AtomicU64,
    bytes_written: AtomicU64,
    first_error: Mutex<Option<DiskError>>,
}

impl Job<'_> {
    fn run(&self) {
        let mut buffer = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let span = self.next_span.fetch_add(1, Ordering::Relaxed);
            let start = span.saturating_mul(SPAN_BYTES);
            if start >= self.size_bytes {
                break;
            }
            if let Err(error) = self.copy_span(start, &mut buffer) {
                self.stop.store(true, Ordering::Relaxed);
                self.first_error
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .get_or_insert(error);
            }
        }
    }

    fn copy_span(&self, start: u64, buffer: &mut Vec<u8>) -> Result<(), DiskError> {
        if self.observer.cancelled() {
            return Err(DiskError::new(
                DiskErrorKind::Cancelled,
                "the copy was cancelled",
            ));
        }
        let end = self.size_bytes.min(start + SPAN_BYTES);
        let mut at = start;
        // The data that has been found and not read yet.
        let mut run = start..start;
        while at < end {
            // No more than the span is asked about: a disk may have to look at each block of a
            // long extent, and each span would make it do so again.
            let extent = self.source.extent_at(at, end - at)?;
            let extent_end = end.min(at.saturating_add(extent.len_bytes.max(1)));
            if extent.kind == ExtentKind::Data {
                if at - run.end > READ_GAP_BYTES || run.is_empty() {
                    self.copy_run(&run, buffer)?;
                    run.start = at;
                }
                run.end = extent_end;
            } else if extent_end == end {
                self.skip_from(end)?;
            }
            at = extent_end;
        }
        self.copy_run(&run, buffer)?;
        self.observer.advanced(end - start);
        Ok(())
    }

    /// Moves the counter over the spans from `offset`, the end of the caller's own, that hold
    /// nothing as a whole. Those of them that another thread has taken already are its own to skip.
    fn skip_from(&self, offset: u64) -> Result<(), DiskError> {
        if offset >= self.size_bytes {
            return Ok(());
        }
        let rest = self.size_bytes - offset;
        let extent = self.source.extent_at(offset, rest)?;
        if extent.kind == ExtentKind::Data {
            return Ok(());
        }
        let span = if extent.len_bytes >= rest {
            self.size_bytes.div_ceil(SPAN_BYTES)
        } else {
            (offset + extent.len_bytes) / SPAN_BYTES
        };
        let before = self.next_span.fetch_max(span, Ordering::Relaxed);
        if before < span {
            let skipped_end = self.size_bytes.min(span * SPAN_BYTES);
            self.observer
                .advanced(skipped_end.saturating_sub(before * SPAN_BYTES));
        }
        Ok(())
    }

    fn copy_run(&self, run: &std::ops::Range<u64>, buffer: &mut Vec<u8>) -> Result<(), DiskError> {
        // A run lies inside one span.
        let len = usize::try_from(run.end - run.start).unwrap_or(0);
        if len == 0 {
            return Ok(());
        }
        if buffer.len() < len {
            buffer.resize(len, 0);
        }
        let data = &mut buffer[..len];
        self.source.read_at(run.start, data)?;
        self.bytes_read.fetch_add(len as u64, Ordering::Relaxed);
        for part in data_runs(data, WRITE_GAP_PIECES) {
            let offset = run.start + part.start as u64;
            let part = &data[part];
            self.target.write_at(offset, part)?;
            self.bytes_written
                .fetch_add(part.len() as u64, Ordering::Relaxed);
        }
        Ok(())
    }
}
