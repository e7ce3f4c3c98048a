//! Writing a new qcow2.

use std::sync::Arc;

use block_io::{DiskError, DiskErrorKind, NewClusters, NewImage, WritableFile};

use crate::refcounts::Refcounts;

/// The largest disk that is made, in bytes: 128 TiB, twice what a VHDX holds.
pub const MAX_SIZE_BYTES: u64 = 128 << 40;

const CLUSTER_BITS: u32 = 16;
pub(crate) const CLUSTER_BYTES: u64 = 1 << CLUSTER_BITS;
const CLUSTER_LEN: usize = 1 << CLUSTER_BITS;
pub(crate) const ENTRY_BYTES: u64 = 8;
/// Entries of an L2 table, which is one cluster.
const L2_ENTRIES: u64 = CLUSTER_BYTES / ENTRY_BYTES;
/// An L1 or L2 entry whose cluster has one user, so it may be written in place.
const COPIED: u64 = 1 << 63;
const HEADER_BYTES: u32 = 104;
/// Refcounts of 2^4 bits.
const REFCOUNT_ORDER: u32 = 4;

/// Starts a new qcow2 in `file`, whose present content is thrown away.
///
/// The file is not a qcow2 before [`NewImage::finish`]: its header is written last, after
/// everything else is durable.
///
/// # Errors
///
/// `OutOfRange` where the size is 0, no multiple of 512, or above [`MAX_SIZE_BYTES`].
pub fn create(
    file: Arc<dyn WritableFile>,
    size_bytes: u64,
) -> Result<Box<dyn NewImage>, DiskError> {
    if size_bytes == 0 || !size_bytes.is_multiple_of(512) || size_bytes > MAX_SIZE_BYTES {
        let what = format!(
            "a qcow2 of {size_bytes} bytes cannot be made, expected a multiple of 512 up to \
             {MAX_SIZE_BYTES} (128 TiB)"
        );
        return Err(DiskError::new(DiskErrorKind::OutOfRange, what).in_file(file.name()));
    }
    let l1_entries = size_bytes.div_ceil(CLUSTER_BYTES * L2_ENTRIES);
    let l1_clusters = (l1_entries * ENTRY_BYTES).div_ceil(CLUSTER_BYTES);
    let first_bytes = (1 + l1_clusters) * CLUSTER_BYTES;
    Ok(Box::new(NewQcow2 {
        data: NewClusters::start(file, size_bytes, CLUSTER_BYTES, L2_ENTRIES, first_bytes)?,
    }))
}

/// A qcow2 that is being filled.
struct NewQcow2 {
    data: NewClusters,
}

impl NewImage for NewQcow2 {
    fn size_bytes(&self) -> u64 {
        self.data.size_bytes()
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        self.data.write_at(offset, data)
    }

    fn finish(self: Box<Self>) -> Result<(), DiskError> {
        let refcounts_at = self.write_tables()?;
        let header = self.write_refcounts(refcounts_at)?;
        self.data.flush()?;
        // From here on the file may open, and everything that it then shows is durable.
        self.data.put(0, &header)?;
        self.data.flush()
    }
}

impl NewQcow2 {
    /// Writes L2 and L1 tables and returns where they end, in bytes.
    fn write_tables(&self) -> Result<u64, DiskError> {
        let mut end = self.data.end_bytes();
        let mut l1 = Vec::new();
        for group in 0..self.data.group_count() {
            let Some(placed) = self.data.group(group) else {
                l1.extend(0_u64.to_be_bytes());
                continue;
            };
            let mut table = vec![0; CLUSTER_LEN];
            let (entries, _) = table.as_chunks_mut::<8>();
            for (number, place_bytes) in placed {
                if let Some(entry) = entries.get_mut(number) {
                    *entry = (place_bytes | COPIED).to_be_bytes();
                }
            }
            self.data.put(end, &table)?;
            l1.extend((end | COPIED).to_be_bytes());
            end += CLUSTER_BYTES;
        }
        self.data.put(CLUSTER_BYTES, &l1)?;
        Ok(end)
    }

    /// Writes the refcounts from `start` on, gives the file its length, and returns the header.
    fn write_refcounts(&self, start: u64) -> Result<Vec<u8>, DiskError> {
        let used = start / CLUSTER_BYTES;
        let refcounts = Refcounts::of(used);
        let clusters = used + refcounts.blocks + refcounts.table_clusters;
        self.data.set_length(clusters * CLUSTER_BYTES)?;
        let mut table = Vec::new();
        for number in 0..refcounts.blocks {
            let place_bytes = start + number * CLUSTER_BYTES;
            self.data
                .put(place_bytes, &Refcounts::block(number, clusters))?;
            table.extend(place_bytes.to_be_bytes());
        }
        let table_bytes = start + refcounts.blocks * CLUSTER_BYTES;
        self.data.put(table_bytes, &table)?;
        Ok(header(
            self.data.size_bytes(),
            self.data.group_count(),
            table_bytes,
            refcounts.table_clusters,
        ))
    }
}

/// Makes the header, and the end of its list of extensions.
fn header(size_bytes: u64, l1_entries: u64, refcounts_at: u64, refcount_clusters: u64) -> Vec<u8> {
    // A disk of 128 TiB has 262144 entries, and its refcounts take few clusters.
    let small = |value: u64| u32::try_from(value).unwrap_or(u32::MAX).to_be_bytes();
    let mut bytes = Vec::new();
    bytes.extend(b"QFI\xFB");
    bytes.extend(3_u32.to_be_bytes());
    bytes.extend([0; 12]); // no backing file
    bytes.extend(CLUSTER_BITS.to_be_bytes());
    bytes.extend(size_bytes.to_be_bytes());
    bytes.extend(0_u32.to_be_bytes()); // not encrypted
    bytes.extend(small(l1_entries));
    bytes.extend(CLUSTER_BYTES.to_be_bytes());
    bytes.extend(refcounts_at.to_be_bytes());
    bytes.extend(small(refcount_clusters));
    bytes.extend([0; 12]); // no snapshots
    bytes.extend([0; 24]); // no features
    bytes.extend(REFCOUNT_ORDER.to_be_bytes());
    bytes.extend(HEADER_BYTES.to_be_bytes());
    bytes.extend([0; 8]); // no extensions
    bytes
}
