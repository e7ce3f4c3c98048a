//! Stores a block device as a stream, reading all of it.

use block_io::{BlockDevice, ByteRanges};

use crate::read::{MapReader, MapShape};
use crate::stream::{Stream, StreamRoot, StreamStatistics};
use crate::write::RunWriter;
use crate::write::chunk_source::ChunkSource;
use crate::write::stream_job::{LeafNumbers, Selection, StreamJob};
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
    /// What it is, and what was read and stored.
    pub statistics: StreamStatistics,
    /// Bytes that the source calls unchanged and that were read nevertheless, because the
    /// repository has lost what the earlier stream had there. Part of `read_bytes` where the
    /// source says that they hold data.
    pub mended_bytes: u64,
}

/// Leaves that are kept in memory while a stream is stored, 64 bytes each: 256 TiB at 64 KiB.
const LEAVES_MAX: u64 = 1 << 24;

/// Returns the shape of a stream of this size, unless it is too large to be stored.
pub(crate) fn shape_to_store(
    run: &RunWriter,
    device: &dyn BlockDevice,
) -> Result<MapShape, RepositoryError> {
    let shape = MapShape::new(device.size_bytes(), run.repository().chunk_bytes())?;
    if shape.leaves() <= LEAVES_MAX {
        return Ok(shape);
    }
    let what = format!(
        "a disk of {} bytes is too large for this version",
        shape.size_bytes
    );
    Err(RepositoryError::new(RepositoryErrorKind::Unsupported, what))
}

impl RunWriter {
    /// Opens the map of an earlier stream. One that cannot be read is as good as none; so is one
    /// of another domain, whose names say nothing here and whose packs are none of ours.
    pub(crate) fn open_earlier(&self, stream: &Stream) -> Option<MapReader> {
        let domain = self.shared().domain().id;
        let ours = stream.domain().is_none_or(|of_stream| of_stream == domain);
        ours.then(|| self.repository().open_map(stream).ok())?
    }

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
        self.store_stream_skipping(device, previous, &ByteRanges::new(), observer)
    }

    /// Does what [`RunWriter::store_stream`] does, but leaves out the chunks that lie wholly in
    /// `skip`: they are not read, and the map says that they were skipped. A chunk of which the
    /// device says that it holds nothing is not skipped, since nothing is left out with it.
    ///
    /// `skip` must never have held [`ByteRanges::RANGES_MAX`] ranges: then gaps were closed.
    pub fn store_stream_skipping(
        &self,
        device: &dyn BlockDevice,
        previous: Option<&Stream>,
        skip: &ByteRanges,
        observer: &dyn StreamObserver,
    ) -> Result<StoredStream, RepositoryError> {
        let _turn = self.begin_stream();
        let shape = shape_to_store(self, device)?;
        let skip = skip.shrunk(shape.chunk_bytes, shape.size_bytes);
        let previous = previous.and_then(|stream| self.open_earlier(stream));
        let job = StreamJob {
            run: self,
            source: ChunkSource {
                device,
                shape,
                skip: &skip,
            },
            previous: previous.as_ref(),
            selection: Selection::Everything,
            observer,
        };
        self.store_every_leaf(&job)
    }

    /// Stores a stream by visiting all of its leaves.
    pub(crate) fn store_every_leaf(
        &self,
        job: &StreamJob<'_>,
    ) -> Result<StoredStream, RepositoryError> {
        let shape = job.source.shape;
        let leaves = job.store(&LeafNumbers::All(shape.leaves()))?;
        let (root, stored) = self.build_upper_levels(shape, leaves.entries)?;
        self.note_stored(root, None);
        let mut statistics = leaves.tally.of_all();
        statistics.stored_bytes += stored;
        Ok(StoredStream {
            root: root.map(|root| StreamRoot::from_map(self.shared().domain().id, root)),
            statistics,
            mended_bytes: leaves.tally.mended_bytes,
        })
    }
}
