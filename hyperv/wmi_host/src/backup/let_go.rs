//! Letting go of the files of a checkpoint.

use std::sync::Arc;

use block_io::{BlockDevice, DiskError, DiskErrorKind, Extent, MemoryFile};
use hyperv_host::VmSource;

/// Closes all files of a source; its descriptions stay.
///
/// The host merges what was frozen, and removes the checkpoint's files, as soon as the checkpoint
/// is gone. A file that is open here stands in its way: a merge that finds one fails, on some
/// hosts for good (contract 2.2, bareos#2624). So they are closed before.
pub(crate) fn let_go(source: &mut VmSource) {
    for disk in &mut source.disks {
        disk.device = Arc::new(ClosedDisk {
            size_bytes: disk.device.size_bytes(),
            sector_bytes: disk.device.sector_bytes(),
            physical_sector_bytes: disk.device.physical_sector_bytes(),
        });
        disk.check_unchanged = Box::new(|| Ok(()));
    }
    for kept in &mut source.files {
        kept.file = Arc::new(MemoryFile::new(kept.file.name(), Vec::new()));
    }
    for image in &mut source.images {
        image.file = Arc::new(MemoryFile::new(image.file.name(), Vec::new()));
    }
}

/// A disk that was read, and cannot be read any more.
struct ClosedDisk {
    size_bytes: u64,
    sector_bytes: u32,
    physical_sector_bytes: u32,
}

impl BlockDevice for ClosedDisk {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn sector_bytes(&self) -> u32 {
        self.sector_bytes
    }

    fn physical_sector_bytes(&self) -> u32 {
        self.physical_sector_bytes
    }

    fn read_at(&self, _offset: u64, _buf: &mut [u8]) -> Result<(), DiskError> {
        Err(closed())
    }

    fn extent_at(&self, _offset: u64, _max_bytes: u64) -> Result<Extent, DiskError> {
        Err(closed())
    }
}

fn closed() -> DiskError {
    let what = "the VM was let go: its frozen disks are not read any more";
    DiskError::new(DiskErrorKind::NotFound, what)
}
