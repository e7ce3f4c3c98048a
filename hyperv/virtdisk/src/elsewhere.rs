//! The same interface where there is no `virtdisk.dll`: it can be asked for, and is not there.

use crate::{Absent, Changes, DiskInfo, VirtDiskError};

/// Windows' virtual-disk library. On this system there is none, and no value of this type.
#[derive(Debug, Clone)]
pub enum VirtDisk {}

/// A disk that is open for reading. On this system there is none.
#[derive(Debug)]
pub enum OpenDisk {}

impl VirtDisk {
    /// Says that the library is absent.
    pub fn load() -> Result<Self, Absent> {
        Err(Absent::new("virtdisk.dll is a part of Windows"))
    }

    /// Opens a disk for reading.
    pub fn open_read_only(&self, _path: &str) -> Result<OpenDisk, VirtDiskError> {
        match *self {}
    }
}

impl OpenDisk {
    /// Returns the disk's path, as it was opened.
    pub fn path(&self) -> &str {
        match *self {}
    }

    /// Returns what Windows says about the disk.
    pub fn info(&self) -> Result<DiskInfo, VirtDiskError> {
        match *self {}
    }

    /// Returns what changed since `id`.
    pub fn query_changes(
        &self,
        _id: &str,
        _offset_bytes: u64,
        _length_bytes: u64,
    ) -> Result<Changes, VirtDiskError> {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_says_that_it_is_absent() {
        assert!(
            VirtDisk::load()
                .unwrap_err()
                .to_string()
                .contains("virtdisk.dll")
        );
    }
}
