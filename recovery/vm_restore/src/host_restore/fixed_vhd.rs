//! A fixed VHD, changed in place: the disk is the file but for its footer.

use std::sync::Arc;

use block_io::{
    BlockDevice, DiskError, Extent, ExtentKind, WritableDevice, WritableFile, check_range,
};

/// A fixed VHD that was found to be one.
pub(crate) struct FixedVhd {
    file: Arc<dyn WritableFile>,
    size_bytes: u64,
}

impl FixedVhd {
    pub(crate) fn new(file: Arc<dyn WritableFile>, size_bytes: u64) -> Self {
        Self { file, size_bytes }
    }

    fn failed(&self, what: &str, error: std::io::Error) -> DiskError {
        DiskError::io(self.file.name(), what, error)
    }
}

impl BlockDevice for FixedVhd {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        check_range(self.size_bytes, offset, buf.len() as u64)?;
        let read = self.file.read_exact_at(offset, buf);
        read.map_err(|error| self.failed("cannot read", error).at(offset))
    }

    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        check_range(self.size_bytes, offset, max_bytes.max(1))?;
        Ok(Extent {
            kind: ExtentKind::Data,
            len_bytes: max_bytes,
        })
    }
}

impl WritableDevice for FixedVhd {
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        check_range(self.size_bytes, offset, data.len() as u64)?;
        let written = self.file.write_all_at(offset, data);
        written.map_err(|error| self.failed("cannot write", error).at(offset))
    }

    fn flush(&self) -> Result<(), DiskError> {
        let flushed = self.file.flush();
        flushed.map_err(|error| self.failed("cannot flush", error))
    }
}
