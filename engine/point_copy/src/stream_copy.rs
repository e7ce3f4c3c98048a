//! One stream, from repository to repository.

use block_io::{BlockDevice, ByteRanges, DiskError, Extent, ExtentKind};
use repository::{
    Repository, RepositoryDisk, RepositoryError, RestorePoint, RunWriter, StoredStream, Stream,
    StreamObserver,
};

/// A point that both repositories have.
#[derive(Clone)]
pub(crate) struct Common {
    /// As the source has it.
    pub(crate) in_source: RestorePoint,
    /// As the target has it.
    pub(crate) in_target: RestorePoint,
}

impl Common {
    /// Returns what is most likely the earlier state of `stream`, on both sides.
    fn earlier(&self, stream: &Stream) -> Option<(&Stream, &Stream)> {
        let same = |other: &&Stream| {
            other.role == stream.role
                && other.number == stream.number
                && other.name == stream.name
                && other.size_bytes == stream.size_bytes
        };
        let in_source = self.in_source.all_streams().find(same)?;
        let in_target = self.in_target.all_streams().find(same)?;
        Some((in_source, in_target))
    }
}

/// Stores a stream of the source in the target.
pub(crate) fn copy_stream(
    source: &Repository,
    run: &RunWriter,
    stream: &Stream,
    common: Option<&Common>,
    observer: &dyn StreamObserver,
) -> Result<StoredStream, RepositoryError> {
    // More ranges than can be kept apart: they are stored as the zeros that they read as.
    let skip = source.skipped_ranges(stream)?.unwrap_or_default();
    let device = WithSkipped {
        disk: source.open_stream(stream)?,
        skip: &skip,
        chunk_bytes: u64::from(source.chunk_bytes()),
    };
    let earlier = common.and_then(|common| common.earlier(stream));
    let Some((in_source, in_target)) = earlier else {
        return run.store_stream_skipping(&device, None, &skip, observer);
    };
    // A map of the earlier point that cannot be read is no reason to fail: all is read instead.
    let Ok(differences) = source.compare_streams(in_source, stream) else {
        return run.store_stream_skipping(&device, Some(in_target), &skip, observer);
    };
    let mut changed = ByteRanges::new();
    for difference in &differences {
        changed.insert(difference.offset, difference.len_bytes);
    }
    run.store_changed_skipping(&device, in_target, &changed, &skip, observer)
}

/// A stream whose skipped ranges say that something is there, as it was on the host.
///
/// By itself it says there what it reads as: nothing. A writer skips only what is something.
struct WithSkipped<'a> {
    disk: RepositoryDisk,
    skip: &'a ByteRanges,
    chunk_bytes: u64,
}

impl BlockDevice for WithSkipped<'_> {
    fn size_bytes(&self) -> u64 {
        self.disk.size_bytes()
    }

    fn sector_bytes(&self) -> u32 {
        self.disk.sector_bytes()
    }

    fn physical_sector_bytes(&self) -> u32 {
        self.disk.physical_sector_bytes()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        self.disk.read_at(offset, buf)
    }

    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        let extent = self.disk.extent_at(offset, max_bytes)?;
        let end = offset.saturating_add(extent.len_bytes);
        if extent.kind == ExtentKind::Data || !self.skip.intersects(offset..end) {
            return Ok(extent);
        }
        // Whole chunks were skipped, so one chunk is of one kind.
        let chunk_end = (offset / self.chunk_bytes + 1).saturating_mul(self.chunk_bytes);
        let end = end.min(chunk_end);
        let kind = if self.skip.intersects(offset..end) {
            ExtentKind::Data
        } else {
            extent.kind
        };
        Ok(Extent {
            kind,
            len_bytes: end - offset,
        })
    }
}
