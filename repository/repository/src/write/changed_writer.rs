//! Stores what changed of a block device, and takes the rest from an earlier stream.
//!
//! ```text
//!   earlier map        root                  new map        root'
//!                    /  |   \                             /  |   \
//!                   A   B    C                           A   B'   C      A, C: shared, not read
//!                      /|\                                  /|\
//!                     k l m   ◄── changed ranges           k l' m        l: read; l': stored
//!                                                                        m: shared, not read
//! ```
//!
//! Only nodes on the way to changed chunks are read, and only these chunks are read from the
//! source; so the cost is that of the change, whatever the size of the disk.
//!
//! # What is left out
//!
//! What is skipped now becomes so in the map, though nobody calls it changed; what was skipped
//! before and is not now is read. Only the map says where that is, so a map in which anything is
//! skipped is read down to its leaves.
//!
//! # What is looked through
//!
//! When the earlier point was published, all of its map was durable and whole. Packs can be lost
//! since. What is shared unread cannot be looked through without reading the whole map, so:
//!
//! | What | How it is known to be there |
//! |---|---|
//! | chunks and nodes beside the way to a change | their pack is in the store and long enough |
//! | what lies below these nodes | every pack that an index object lists is in the store |
//! | a pack in no index object, or cut short, or with wrong bytes | not here: `check` and `verify` find it, and so does the proof of what is unchanged when its window comes by |
//!
//! Where anything is amiss nothing is shared unread: all leaves are visited, every entry's pack is
//! looked for, and what is lost is read from the source again, though nobody calls it changed. A
//! backup that meets a damaged repository so ends in a whole point.

use block_io::{BlockDevice, ByteRanges};

use crate::read::MapReader;
use crate::stream::{Stream, StreamRoot, StreamStatistics};
use crate::write::changed_tree::{ChangedTree, Touch};
use crate::write::chunk_source::ChunkSource;
use crate::write::stream_job::{LeafNumbers, Selection, StreamJob};
use crate::write::stream_writer::shape_to_store;
use crate::write::{RunWriter, StoredStream, StreamObserver};
use crate::{RepositoryError, RepositoryErrorKind};

impl RunWriter {
    /// Reads what changed of `device` and stores what the repository does not have of it; the rest
    /// is as `previous` has it.
    ///
    /// `changed` is rounded to chunks; what lies beyond the end of the disk does not count. What
    /// the device says is zero or not allocated is not read. The observer hears at once of all
    /// that is taken over.
    ///
    /// Fails with `Unsupported` where the disk has another size than the earlier stream: what
    /// changed must then be found by reading all.
    pub fn store_changed(
        &self,
        device: &dyn BlockDevice,
        previous: &Stream,
        changed: &ByteRanges,
        observer: &dyn StreamObserver,
    ) -> Result<StoredStream, RepositoryError> {
        self.store_changed_skipping(device, previous, changed, &ByteRanges::new(), observer)
    }

    /// Does what [`RunWriter::store_changed`] does, but leaves out the chunks that lie wholly in
    /// `skip`, whatever `changed` says: the map says that they were skipped, and what was stored of
    /// them is let go. What `previous` left out and `skip` does not is read, whatever `changed`
    /// says. A chunk that holds nothing stays what it is.
    ///
    /// Where `previous` left something out all of its map is read, which takes about 10 KiB for
    /// each leaf that is not uniform. `skip` as for [`RunWriter::store_stream_skipping`].
    pub fn store_changed_skipping(
        &self,
        device: &dyn BlockDevice,
        previous: &Stream,
        changed: &ByteRanges,
        skip: &ByteRanges,
        observer: &dyn StreamObserver,
    ) -> Result<StoredStream, RepositoryError> {
        let _turn = self.begin_stream();
        let shape = shape_to_store(self, device)?;
        check_same_size(previous, device)?;
        let skip = skip.shrunk(shape.chunk_bytes, shape.size_bytes);
        let map = self.open_earlier(previous);
        let job = |look_through| StreamJob {
            run: self,
            source: ChunkSource {
                device,
                shape,
                skip: &skip,
            },
            previous: map.as_ref(),
            selection: Selection::Changed {
                ranges: changed,
                look_through,
            },
            observer,
        };
        let mut spent = StreamStatistics::default();
        if let Some(map) = map.as_ref().filter(|_| !self.known().lost_something()) {
            match self.store_touched(&job(false), map, changed, &previous.statistics)? {
                Touched::Stored(stored) => return Ok(stored),
                Touched::Amiss(statistics) => spent = statistics,
            }
        }
        let mut stored = self.store_every_leaf(&job(true))?;
        // What the first attempt stored is found again, but it was this run's.
        stored.statistics.read_bytes += spent.read_bytes;
        stored.statistics.new_bytes += spent.new_bytes;
        stored.statistics.stored_bytes += spent.stored_bytes;
        Ok(stored)
    }

    /// Stores a stream by visiting the leaves that `changed` touches.
    fn store_touched(
        &self,
        job: &StreamJob<'_>,
        map: &MapReader,
        changed: &ByteRanges,
        before: &StreamStatistics,
    ) -> Result<Touched, RepositoryError> {
        let touch = Touch {
            changed,
            skip: job.source.skip,
            skipped_before: before.skipped_bytes > 0,
        };
        let Some(tree) = ChangedTree::open(map, &touch, self.known()) else {
            return Ok(Touched::Amiss(StreamStatistics::default()));
        };
        let size_bytes = map.shape.size_bytes;
        // What is looked at for other reasons is known only when the leaves were.
        let at_once = touch.is_change_alone().then(|| {
            let looked_at = changed.rounded(map.shape.chunk_bytes, size_bytes);
            job.observer
                .advanced(size_bytes - looked_at.total_bytes(), 0);
        });
        let leaves = job.store(&LeafNumbers::Some(&tree.leaves))?;
        if leaves.amiss {
            return Ok(Touched::Amiss(leaves.tally.run));
        }
        if at_once.is_none() {
            let taken_over = size_bytes.saturating_sub(leaves.tally.looked_at_bytes());
            job.observer.advanced(taken_over, 0);
        }
        let (root, stored) = tree.close(self, leaves.entries)?;
        self.note_stored(root, map.root());
        let mut statistics = leaves.tally.after(before);
        statistics.stored_bytes += stored;
        Ok(Touched::Stored(StoredStream {
            root: root.map(|root| StreamRoot::from_map(self.shared().domain().id, root)),
            statistics,
            mended_bytes: 0,
        }))
    }
}

/// How far visiting the touched leaves led.
enum Touched {
    Stored(StoredStream),
    /// The repository has lost something; this was read and stored until that was seen.
    Amiss(StreamStatistics),
}

/// Fails unless the disk has the size of the earlier stream.
pub(crate) fn check_same_size(
    previous: &Stream,
    device: &dyn BlockDevice,
) -> Result<(), RepositoryError> {
    let (before, now) = (previous.size_bytes, device.size_bytes());
    if before == now {
        return Ok(());
    }
    let what = format!(
        "the disk has {now} bytes and had {before}: what changed is known of disks of equal size \
         alone"
    );
    Err(RepositoryError::new(RepositoryErrorKind::Unsupported, what))
}
