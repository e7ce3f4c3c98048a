//! What a disk's files say, as far as they can be read while the VM may run.

use std::sync::Arc;

use block_io::{BlockDevice as _, DiskError, DiskErrorKind};
use disk_image::{DiskImage, HostPaths, OpenOptions};
use hyperv_host::{Finding, PowerState};
use uuid::Uuid;

use crate::facts::{DiskFacts, VmFacts};
use crate::findings::of_disk_error;

/// What a disk's files say.
#[derive(Debug, Default)]
pub(crate) struct DiskFiles {
    /// Size of the virtual disk in bytes.
    pub(crate) size_bytes: Option<u64>,
    /// The virtual disk's own id.
    pub(crate) disk_id: Option<Uuid>,
    /// Number of files; 0 where it is not known.
    pub(crate) chain_files: usize,
    /// Bytes that all of them hold, at most the disk's size: what a full read reads.
    pub(crate) held_bytes: Option<u64>,
    /// Why nothing can be said, where that matters.
    pub(crate) problem: Option<Finding>,
}

impl DiskFiles {
    /// Opens a disk for as long as it takes to tell its size and chain.
    ///
    /// A host keeps the file that a running VM writes to for itself until it is frozen. Then
    /// nothing is said of the disk, and nothing is wrong.
    pub(crate) fn look(vm: &VmFacts, disk: &DiskFacts, bytes: Option<&Arc<dyn HostPaths>>) -> Self {
        let Some(bytes) = bytes.filter(|_| disk.is_freezable()) else {
            return Self::default();
        };
        match open_on_host(&disk.path, bytes) {
            Ok(image) => Self::of(&image),
            Err(error) => {
                let written = matches!(vm.state, PowerState::Running | PowerState::Other);
                Self {
                    problem: of_disk_error(disk, &error, written),
                    ..Self::default()
                }
            }
        }
    }

    fn of(image: &DiskImage) -> Self {
        let size_bytes = image.size_bytes();
        let held: u64 = image.chain().iter().map(|file| file.file_bytes).sum();
        Self {
            size_bytes: Some(size_bytes),
            disk_id: image.disk_id(),
            chain_files: image.chain().len(),
            held_bytes: Some(held.min(size_bytes)),
            problem: None,
        }
    }
}

/// Opens a disk that the host names, with all its parents.
pub(crate) fn open_on_host(
    host_path: &str,
    bytes: &Arc<dyn HostPaths>,
) -> Result<DiskImage, DiskError> {
    let path = bytes.locate(host_path).ok_or_else(|| {
        let text = format!("nothing is found where this machine sees {host_path}");
        DiskError::new(DiskErrorKind::NotFound, text)
    })?;
    disk_image::open(&path, &OpenOptions::on_host(Arc::clone(bytes)))
}
