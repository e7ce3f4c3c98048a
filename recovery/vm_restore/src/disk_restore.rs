//! One disk, or any other stream, into a new image.

use std::path::Path;

use block_io::NewImage as _;
use disk_image::{CopyObserver, CopyReport, ImageFormat, NewImageOptions, copy, create};
use repository::{Repository, RestorePoint, Stream};
use serde::Serialize;
use uuid::Uuid;

use crate::RestoreError;
use crate::error::Cause;

/// What a disk's restore did.
#[derive(Debug, Clone, Serialize)]
pub struct DiskRestoreReport {
    /// The file that was made.
    pub path: String,
    /// Its format.
    pub format: String,
    /// Size of the disk, and what was read and written, in bytes.
    #[serde(flatten)]
    pub copy: CopyReport,
}

/// Restores disk `number` of a point into a new image at `out`.
///
/// Fails with `Exists` before any work. Until the last byte is durable there is no file `out`.
pub fn restore_disk(
    repository: &Repository,
    point: &RestorePoint,
    number: u32,
    out: &Path,
    format: ImageFormat,
    observer: &dyn CopyObserver,
) -> Result<DiskRestoreReport, RestoreError> {
    let disks = point.disks().count();
    let stream = point
        .disks()
        .find(|disk| disk.number == number)
        .ok_or(RestoreError::NoSuchDisk { number, disks })?;
    restore_stream(repository, stream, out, format, observer).map_err(|cause| {
        RestoreError::new(
            format!("cannot restore disk {number} of point {}", point.id),
            cause,
        )
    })
}

/// Restores any stream into a new image at `out`.
pub(crate) fn restore_stream(
    repository: &Repository,
    stream: &Stream,
    out: &Path,
    format: ImageFormat,
    observer: &dyn CopyObserver,
) -> Result<DiskRestoreReport, Cause> {
    let options = NewImageOptions {
        format,
        size_bytes: stream.size_bytes,
        sector_bytes: stream.sector_bytes,
        physical_sector_bytes: stream.physical_sector_bytes,
        disk_id: stream
            .disk_id
            .as_deref()
            .and_then(|id| Uuid::parse_str(id).ok()),
    };
    let target = create(out, &options)?;
    let source = repository.open_stream(stream)?;
    let threads = std::thread::available_parallelism().map_or(2, usize::from) + 1;
    let copy = copy(&source, &target, observer, threads)?;
    Box::new(target).finish()?;
    Ok(DiskRestoreReport {
        path: out.display().to_string(),
        format: format.to_string(),
        copy,
    })
}
