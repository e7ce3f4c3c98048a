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
    unflushed: Unflushed,
}

/// Counts what was written since the last flush.
#[derive(Default)]
struct Unflushed {
    bytes: AtomicU64,
}

impl Unflushed {
    /// Counts a write, and says whether the caller is the one to flush now.
    fn flush_is_due(&self, written_bytes: u64) -> bool {
        let bytes = self.bytes.fetch_add(written_bytes, Ordering::Relaxed) + written_bytes;
        // Of several threads beyond the line, the first takes all of it. Whatever the others add
        // meanwhile, the next to find the counter beyond the line takes that.
        bytes >= FLUSH_BYTES && self.bytes.swap(0, Ordering::Relaxed) >= FLUSH_BYTES
    }
}

impl WriteBehind {
    pub(crate) fn new(file: Arc<OsFile>) -> Self {
        Self {
            file,
            unflushed: Unflushed::default(),
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
        if self.unflushed.flush_is_due(data.len() as u64) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flush_is_due_every_64_mib() {
        let unflushed = Unflushed::default();
        let flushes = (0..256).filter(|_| unflushed.flush_is_due(1 << 20)).count();
        assert_eq!(flushes, 4);
    }

    #[test]
    fn what_others_add_before_the_counter_is_taken_does_not_stop_it() {
        let unflushed = Unflushed {
            bytes: AtomicU64::new(FLUSH_BYTES + 1),
        };
        assert!(unflushed.flush_is_due(1));
        assert!(!unflushed.flush_is_due(1));
        assert!(unflushed.flush_is_due(FLUSH_BYTES));
    }
}
