//! A file that need not survive a power cut of this machine.

use std::io;
use std::path::Path;
use std::sync::Arc;

use block_io::{DiskError, FileStamp, ImageFile, LayerExtent, OsFile, WritableFile};

/// A file of the simulated host. What is flushed here is flushed for a guest that does not exist,
/// so nothing waits for this machine's disk.
pub(crate) struct VolatileFile(OsFile);

impl VolatileFile {
    pub(crate) fn open(path: &Path) -> Result<Arc<Self>, DiskError> {
        Ok(Arc::new(Self(OsFile::open_writable(path)?)))
    }

    /// Makes a file. One of this name that a dead program left is replaced: names have GUIDs in
    /// them, or were checked before.
    pub(crate) fn create(path: &Path) -> Result<Arc<Self>, DiskError> {
        let failed = |error| DiskError::io(&path.display().to_string(), "cannot make room", error);
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        Ok(Arc::new(Self(OsFile::create_new(path)?)))
    }
}

impl ImageFile for VolatileFile {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn size_bytes(&self) -> io::Result<u64> {
        self.0.size_bytes()
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(offset, buf)
    }

    fn file_extent_at(&self, offset: u64, max_bytes: u64) -> io::Result<LayerExtent> {
        self.0.file_extent_at(offset, max_bytes)
    }

    fn stamp(&self) -> io::Result<Option<FileStamp>> {
        self.0.stamp()
    }
}

impl WritableFile for VolatileFile {
    fn write_all_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(offset, data)
    }

    fn set_size_bytes(&self, size_bytes: u64) -> io::Result<()> {
        self.0.set_size_bytes(size_bytes)
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}
