//! Writes over an existing disk where it differs from the point.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use block_io::{
    BlockDevice, ByteRanges, DiskError, DiskErrorKind, OsFile, WritableDevice, WritableFile,
};
use disk_image::ImageFormat;
use repository::{Repository, Stream, StreamObserver};
use vhdx_format::{GuidSource, VhdxDevice, VhdxDisk};

use super::existing_disk::{open_beside, unfit};
use super::fixed_vhd::FixedVhd;
use crate::error::Cause;

/// What is read of the point and written at a time.
const PIECE_BYTES: u64 = 1 << 20;
/// Places at which it is tried whether what a host calls unchanged is.
const PROBES: u64 = 64;

/// What a comparison of a disk took.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    pub(crate) compared_bytes: u64,
    /// What the host called unchanged had changed, so all of it was compared.
    pub(crate) tracking_was_wrong: bool,
}

/// A disk that is about to be written over.
pub(crate) struct InPlaceDisk<'a> {
    pub(crate) repository: &'a Repository,
    pub(crate) stream: &'a Stream,
    pub(crate) local: &'a Path,
}

impl InPlaceDisk<'_> {
    /// Fails where the file cannot be written over by what the point has.
    pub(crate) fn must_fit(&self) -> Result<(), Cause> {
        let image = open_beside(self.local)?;
        let Some(why) = unfit(&image, self.stream) else {
            return Ok(());
        };
        let what = format!("this disk cannot be written over: {why}");
        Err(DiskError::new(DiskErrorKind::Unsupported, what)
            .in_file(&self.local.display().to_string())
            .hint("restore with all disks written anew (`--full`)")
            .into())
    }

    /// Finds what differs: the host's ranges, once some of the rest was found to be the same, or
    /// what a comparison of the whole disk shows. Nothing is written.
    pub(crate) fn differences(
        &self,
        ranges: Option<ByteRanges>,
        observer: &dyn StreamObserver,
    ) -> Result<(ByteRanges, Comparison), Cause> {
        self.must_fit()?;
        let image = open_beside(self.local)?;
        let mut done = Comparison::default();
        let compare = |within: Option<&ByteRanges>| {
            self.repository
                .compare_device(&image, self.stream, within, observer)
        };
        if let Some(ranges) = ranges {
            let probes = self.probes(&ranges);
            let found = compare(Some(&probes))?;
            done.compared_bytes += found.read_bytes;
            if found.ranges.is_empty() {
                return Ok((ranges, done));
            }
            done.tracking_was_wrong = true;
        }
        let found = compare(None)?;
        done.compared_bytes += found.read_bytes;
        Ok((found.ranges, done))
    }

    /// Chooses chunks, evenly spread, that the host calls unchanged.
    fn probes(&self, changed: &ByteRanges) -> ByteRanges {
        let chunk = u64::from(self.repository.chunk_bytes().max(1));
        let chunks = self.stream.size_bytes.div_ceil(chunk);
        let step = (chunks / PROBES).max(1);
        let mut probes = ByteRanges::new();
        for start in (0..PROBES).map(|probe| probe.saturating_mul(step).saturating_mul(chunk)) {
            let end = start.saturating_add(chunk).min(self.stream.size_bytes);
            if start < end && !changed.intersects(start..end) {
                probes.insert(start, end - start);
            }
        }
        probes
    }

    /// Writes what the point has into these ranges; returns the bytes once they are durable.
    pub(crate) fn write(
        &self,
        ranges: &ByteRanges,
        observer: &dyn StreamObserver,
    ) -> Result<u64, Cause> {
        if ranges.is_empty() {
            return Ok(0);
        }
        let source = self.repository.open_stream(self.stream)?;
        let format = open_beside(self.local)?.format();
        let file = Arc::new(OsFile::open_writable(self.local)?);
        if !file.try_lock_exclusive() {
            let what = "another program has this file open";
            return Err(DiskError::new(DiskErrorKind::InUse, what)
                .in_file(&self.local.display().to_string())
                .into());
        }
        let file: Arc<dyn WritableFile> = file;
        let job = |target: &dyn WritableDevice| {
            Job {
                source: &source,
                target,
                observer,
                pieces: pieces(ranges),
                next: AtomicUsize::new(0),
                written: AtomicU64::new(0),
                stop: AtomicBool::new(false),
                error: Mutex::new(None),
            }
            .run()
        };
        if format == ImageFormat::VhdFixed {
            let target = FixedVhd::new(file, self.stream.size_bytes);
            let written = job(&target)?;
            target.flush()?;
            return Ok(written);
        }
        let target = VhdxDevice::new(VhdxDisk::open_writable(file, GuidSource::Random)?)?;
        let written = job(&target)?;
        target.close()?;
        Ok(written)
    }
}

fn pieces(ranges: &ByteRanges) -> Vec<Range<u64>> {
    let mut pieces = Vec::new();
    for range in ranges.iter() {
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start.saturating_add(PIECE_BYTES));
            pieces.push(start..end);
            start = end;
        }
    }
    pieces
}

struct Job<'a> {
    source: &'a dyn BlockDevice,
    target: &'a dyn WritableDevice,
    observer: &'a dyn StreamObserver,
    pieces: Vec<Range<u64>>,
    next: AtomicUsize,
    written: AtomicU64,
    stop: AtomicBool,
    error: Mutex<Option<DiskError>>,
}

impl Job<'_> {
    fn run(self) -> Result<u64, DiskError> {
        let threads = std::thread::available_parallelism().map_or(2, usize::from) + 1;
        std::thread::scope(|scope| {
            for _ in 0..threads.min(self.pieces.len()) {
                scope.spawn(|| self.work());
            }
        });
        let error = self.error.into_inner();
        match error.unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(self.written.into_inner()),
        }
    }

    fn work(&self) {
        let mut buffer = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let next = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(piece) = self.pieces.get(next) else {
                return;
            };
            if let Err(error) = self.copy(piece, &mut buffer) {
                self.stop.store(true, Ordering::Relaxed);
                let mut first = self.error.lock().unwrap_or_else(PoisonError::into_inner);
                first.get_or_insert(error);
            }
        }
    }

    fn copy(&self, piece: &Range<u64>, buffer: &mut Vec<u8>) -> Result<(), DiskError> {
        if self.observer.cancelled() {
            return Err(DiskError::new(DiskErrorKind::Cancelled, "cancelled"));
        }
        let len = piece.end - piece.start;
        // At most a piece.
        buffer.resize(usize::try_from(len).unwrap_or(0), 0);
        self.source.read_at(piece.start, buffer)?;
        self.target.write_at(piece.start, buffer)?;
        self.written.fetch_add(len, Ordering::Relaxed);
        self.observer.advanced(len, 0);
        Ok(())
    }
}
