//! Writing a raw image.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use block_io::{DiskError, DiskErrorKind, NewImage, WritableFile, check_range};

/// A raw image, or a plain file, that is being filled; it may be empty. What is not written stays a hole where the volume has holes.
pub(crate) struct NewRaw {
    file: Arc<dyn WritableFile>,
    size_bytes: u64,
    poisoned: AtomicBool,
}

impl NewRaw {
    pub(crate) fn create(file: Arc<dyn WritableFile>, size_bytes: u64) -> Result<Self, DiskError> {
        for len in [0, size_bytes] {
            file.set_size_bytes(len)
                .map_err(|error| DiskError::io(file.name(), "cannot set the length", error))?;
        }
        Ok(Self {
            file,
            size_bytes,
            poisoned: AtomicBool::new(false),
        })
    }

    fn refuse_if_poisoned(&self) -> Result<(), DiskError> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(DiskError::new(
                DiskErrorKind::Poisoned,
                "an earlier write failed, so nothing more is written",
            )
            .in_file(self.file.name()));
        }
        Ok(())
    }
}

impl NewImage for NewRaw {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        check_range(self.size_bytes, offset, data.len() as u64)
            .map_err(|error| error.in_file(self.file.name()))?;
        self.refuse_if_poisoned()?;
        self.file.write_all_at(offset, data).map_err(|error| {
            self.poisoned.store(true, Ordering::Release);
            DiskError::io(self.file.name(), "cannot write", error).at(offset)
        })
    }

    fn finish(self: Box<Self>) -> Result<(), DiskError> {
        self.refuse_if_poisoned()?;
        self.file
            .flush()
            .map_err(|error| DiskError::io(self.file.name(), "cannot flush", error))
    }
}
