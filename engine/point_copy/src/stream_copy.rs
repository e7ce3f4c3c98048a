//! One stream, from repository to repository.

use block_io::ByteRanges;
use repository::{
    Repository, RepositoryError, RestorePoint, RunWriter, StoredStream, Stream, StreamObserver,
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
    let device = source.open_stream(stream)?;
    let earlier = common.and_then(|common| common.earlier(stream));
    let Some((in_source, in_target)) = earlier else {
        return run.store_stream(&device, None, observer);
    };
    // A map of the earlier point that cannot be read is no reason to fail: all is read instead.
    let Ok(differences) = source.compare_streams(in_source, stream) else {
        return run.store_stream(&device, Some(in_target), observer);
    };
    let mut changed = ByteRanges::new();
    for difference in &differences {
        changed.insert(difference.offset, difference.len_bytes);
    }
    run.store_changed(&device, in_target, &changed, observer)
}
