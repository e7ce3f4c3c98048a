//! An opened disk as backup reads it.

use hyperv_host::{DiskChanges, DiskEntry, DiskSource, FullReason, HostError};

use crate::machine::OpenedDisk;

/// Makes the source of an opened disk, or the error of one that could not be opened.
pub(crate) fn disk_source(entry: &DiskEntry, disk: OpenedDisk) -> Result<DiskSource, HostError> {
    Ok(DiskSource::of_image(
        entry.number,
        entry.slot,
        disk.configured_path,
        disk.image.map_err(HostError::of_disk)?,
        DiskChanges::Everything(FullReason::NotTracked),
    ))
}
