//! Flushes an output file while it is being written.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use block_io::{FileStamp, ImageFile, LayerExtent, OsFile, WritableFile};

/// What is written before the next flush, in bytes.
const FLUSH_BYTES: u64 = 64 << 20;

/// An output file that is flushed every 64 MiB, by the thread that wrote them, while the others go
/// on.
///
/// The disk works from the beginning instead of all at once at the end, and what it has is not
/// kept in memory: a restored disk is larger than what the machine has to spare, and nobody reads
/// it soon.
pub(crate) struct WriteBehind {
    file: Arc<OsFile>,
    unflushed_bytes: AtomicU64,
}

impl WriteBehind {
    pub(crate) fn new(file: Arc<OsFile>) -> Self {
        Self {
            file,
            unflushed_bytes: AtomicU64::new(0),
        }
    }
}

impl ImageFile for WriteBehind {
    fn name(&self) -> &str {
        self.file.name()
    }

    fn size_bytes(&self) -> io::Result<u64> {
        self.file.size_bytes()
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(offset, buf)
    }

    fn file_extent_at(&self, offset: u64, max_bytes: u64) -> io::Result<LayerExtent> {
        self.file.file_extent_at(offset, max_bytes)
    }

    fn stamp(&self) -> io::Result<Option<FileStamp>> {
        self.file.stamp()
    }
}

impl WritableFile for WriteBehind {
    fn write_all_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(offset, data)?;
        let len_bytes = data.len() as u64;
        let before = self.unflushed_bytes.fetch_add(len_bytes, Ordering::Relaxed);
        // One thread crosses the line; what others add meanwhile counts for the next time.
        if before < FLUSH_BYTES && before + len_bytes >= FLUSH_BYTES {
            self.unflushed_bytes
                .fetch_sub(before + len_bytes, Ordering::Relaxed);
            self.flush()?;
        }
        Ok(())
    }

    fn set_size_bytes(&self, size_bytes: u64) -> io::Result<()> {
        self.file.set_size_bytes(size_bytes)
    }

    fn flush(&self) -> io::Result<()> {
        self.file.flush()?;
        self.file.leave_page_cache();
        Ok(())
    }
}
