//! A volume that counts what is read of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use block_io::{BlockDevice, DiskError, Extent};

/// A volume that counts.
pub(crate) struct CountedDisk {
    inner: Arc<dyn BlockDevice>,
    bytes: AtomicU64,
    most_bytes: u64,
}

impl CountedDisk {
    /// Counts, and fails what would read more than `most_bytes` in all.
    pub(crate) fn new(inner: Arc<dyn BlockDevice>, most_bytes: u64) -> Arc<Self> {
        Arc::new(Self {
            inner,
            bytes: AtomicU64::new(0),
            most_bytes,
        })
    }

    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl BlockDevice for CountedDisk {
    fn size_bytes(&self) -> u64 {
        self.inner.size_bytes()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        let len = u64::try_from(buf.len()).unwrap();
        let read = self.bytes.fetch_add(len, Ordering::Relaxed) + len;
        assert!(read <= self.most_bytes, "{read} bytes were read");
        self.inner.read_at(offset, buf)
    }

    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        self.inner.extent_at(offset, max_bytes)
    }
}
