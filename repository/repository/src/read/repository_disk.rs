//! A stream of a restore point as a block device.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use block_io::{BlockDevice, DiskError, DiskErrorKind, Extent, ExtentKind, check_range};

use crate::cache::Cache;
use crate::format::{Entry, Locator, Name};
use crate::read::frame_reader::FETCH_BYTES_MAX;
use crate::read::{Leaf, MapReader};
use crate::{RepositoryError, RepositoryErrorKind};

/// Decoded chunks that a disk keeps, in bytes.
const CHUNKS_KEPT_BYTES: usize = 16 << 20;

/// A disk, or any other stream, of a restore point. Several threads may read it at once.
///
/// A chunk that is read whole is decoded into the caller's buffer; one that is read in part is
/// decoded once and kept for a while. Every chunk is authenticated and its name computed anew.
pub struct RepositoryDisk {
    map: MapReader,
    sector_bytes: u32,
    physical_sector_bytes: u32,
    chunks: Mutex<Cache<u64, Arc<Vec<u8>>>>,
}

/// A stored chunk that a read touches.
struct Wanted {
    chunk: u64,
    name: Name,
    locator: Locator,
    /// Where in the chunk the read begins, and where in the caller's buffer it goes.
    skip: usize,
    start: usize,
    len: usize,
}

impl RepositoryDisk {
    pub(crate) fn new(map: MapReader, sector_bytes: u32, physical_sector_bytes: u32) -> Self {
        let kept = CHUNKS_KEPT_BYTES / usize::try_from(map.shape.chunk_bytes).unwrap_or(1);
        let chunks = Mutex::new(Cache::new(kept));
        Self {
            map,
            sector_bytes,
            physical_sector_bytes,
            chunks,
        }
    }

    /// Fills `buf` from `offset`; the range lies inside the disk.
    pub(crate) fn read(&self, offset: u64, buf: &mut [u8]) -> Result<(), RepositoryError> {
        let shape = self.map.shape;
        let mut batch: Vec<Wanted> = Vec::new();
        let mut leaf: Option<(u64, Leaf)> = None;
        let mut start = 0;
        while start < buf.len() {
            let position = offset + start as u64;
            let chunk = position / shape.chunk_bytes;
            // Inside a chunk, so it fits.
            let skip = usize::try_from(position % shape.chunk_bytes).unwrap_or(0);
            let len = (shape.chunk_len(chunk) - skip).min(buf.len() - start);
            let (leaf_index, slot) = (chunk / 256, usize::try_from(chunk % 256).unwrap_or(0));
            let current = match &leaf {
                Some((index, current)) if *index == leaf_index => current,
                _ => &leaf.insert((leaf_index, self.map.leaf(leaf_index)?)).1,
            };
            match current.entry(slot) {
                Entry::Stored { name, locator } => {
                    let wanted = Wanted {
                        chunk,
                        name,
                        locator,
                        skip,
                        start,
                        len,
                    };
                    if !follows(&batch, &wanted) {
                        self.fetch(&batch, buf)?;
                        batch.clear();
                    }
                    batch.push(wanted);
                }
                Entry::NotAllocated | Entry::Zero | Entry::Skipped => {
                    buf[start..start + len].fill(0);
                }
            }
            start += len;
        }
        self.fetch(&batch, buf)
    }

    /// Reads chunks that lie back to back in one pack into their places in `buf`.
    fn fetch(&self, batch: &[Wanted], buf: &mut [u8]) -> Result<(), RepositoryError> {
        let lock = || self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        if let [only] = batch
            && let Some(kept) = lock().get(&only.chunk)
        {
            let part = &kept[only.skip..only.skip + only.len];
            buf[only.start..only.start + only.len].copy_from_slice(part);
            return Ok(());
        }
        let frames: Vec<_> = batch
            .iter()
            .map(|wanted| (wanted.name, wanted.locator))
            .collect();
        let shape = self.map.shape;
        self.map.shared.read_frames(&frames, &mut |number, open| {
            let wanted = &batch[number];
            let chunk_len = shape.chunk_len(wanted.chunk);
            let target = &mut buf[wanted.start..wanted.start + wanted.len];
            if wanted.len == chunk_len {
                let len = open(target)?;
                return self.check(wanted, target, len);
            }
            let mut chunk = vec![0; chunk_len];
            let len = open(&mut chunk)?;
            self.check(wanted, &chunk, len)?;
            target.copy_from_slice(&chunk[wanted.skip..wanted.skip + wanted.len]);
            lock().insert(wanted.chunk, Arc::new(chunk));
            Ok(())
        })
    }

    fn check(&self, wanted: &Wanted, chunk: &[u8], len: usize) -> Result<(), RepositoryError> {
        if len == chunk.len() && self.map.shared.naming.chunk(chunk) == wanted.name {
            return Ok(());
        }
        let what = "a chunk does not hold what its name says";
        Err(RepositoryError::new(RepositoryErrorKind::Damaged, what))
    }

    /// Returns the map, which knows what reading does not show: what was skipped on purpose.
    pub(crate) fn map(&self) -> &MapReader {
        &self.map
    }

    fn extent(&self, offset: u64, max_bytes: u64) -> Result<Extent, RepositoryError> {
        let shape = self.map.shape;
        let kind_of = |entry| match entry {
            Entry::Stored { .. } => ExtentKind::Data,
            Entry::Zero => ExtentKind::Zero,
            // What was skipped reads as zero, and nothing of it is there.
            Entry::NotAllocated | Entry::Skipped => ExtentKind::NotAllocated,
        };
        let chunk = offset / shape.chunk_bytes;
        let leaf = self.map.leaf(chunk / 256)?;
        let slot = usize::try_from(chunk % 256).unwrap_or(0);
        let kind = kind_of(leaf.entry(slot));
        let run = match &leaf {
            Leaf::Uniform(_) => 256 - slot,
            Leaf::Stored { .. } => (slot..256)
                .take_while(|slot| kind_of(leaf.entry(*slot)) == kind)
                .count(),
        };
        let end = (chunk + run as u64).saturating_mul(shape.chunk_bytes);
        Ok(Extent {
            kind,
            len_bytes: (end - offset).min(max_bytes),
        })
    }
}

/// Says whether `wanted` can be fetched together with `batch`.
fn follows(batch: &[Wanted], wanted: &Wanted) -> bool {
    let (Some(first), Some(last)) = (batch.first(), batch.last()) else {
        return true;
    };
    let end = u64::from(last.locator.offset) + u64::from(last.locator.stored_bytes);
    let total =
        end.saturating_sub(first.locator.offset.into()) + u64::from(wanted.locator.stored_bytes);
    last.locator.pack == wanted.locator.pack
        && end == u64::from(wanted.locator.offset)
        && total <= FETCH_BYTES_MAX as u64
}

fn disk_error(error: RepositoryError) -> DiskError {
    let kind = match error.kind() {
        RepositoryErrorKind::Damaged => DiskErrorKind::Corrupt,
        RepositoryErrorKind::Unsupported => DiskErrorKind::Unsupported,
        RepositoryErrorKind::Denied => DiskErrorKind::Denied,
        _ => DiskErrorKind::Io,
    };
    let source: Box<dyn Error + Send + Sync> = Box::new(error);
    DiskError::new(kind, "reading the restore point failed").caused_by(source)
}

impl BlockDevice for RepositoryDisk {
    fn size_bytes(&self) -> u64 {
        self.map.shape.size_bytes
    }

    fn sector_bytes(&self) -> u32 {
        self.sector_bytes
    }

    fn physical_sector_bytes(&self) -> u32 {
        self.physical_sector_bytes
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        check_range(self.size_bytes(), offset, buf.len() as u64)?;
        self.read(offset, buf).map_err(disk_error)
    }

    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        check_range(self.size_bytes(), offset, max_bytes.max(1))?;
        self.extent(offset, max_bytes).map_err(disk_error)
    }
}
