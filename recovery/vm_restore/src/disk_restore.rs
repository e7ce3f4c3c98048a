//! One disk, or any other stream, into a new image.

use std::path::Path;

use block_io::{BlockDevice, NewImage as _};
use disk_image::{CopyObserver, CopyReport, ImageFormat, NewImageOptions, copy, create};
use repository::{Repository, RestorePoint, Stream};
use serde::Serialize;

use crate::error::Cause;
use crate::{PointDisk, RestoreError, open_disk};

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

/// Restores disk `number` of a point, as the VM last had it, into a new image at `out`.
///
/// Fails with `Exists` where there is a file `out`. Until the last byte is durable there is none.
pub fn restore_disk(
    repository: &Repository,
    point: &RestorePoint,
    number: u32,
    out: &Path,
    format: ImageFormat,
    observer: &dyn CopyObserver,
) -> Result<DiskRestoreReport, RestoreError> {
    open_disk(repository, point, number, None)?.restore(out, format, observer)
}

impl PointDisk {
    /// Restores the disk into a new image at `out`; what is a chain is flattened.
    ///
    /// Fails with `Exists` where there is a file `out`. Until the last byte is durable there is
    /// none.
    pub fn restore(
        &self,
        out: &Path,
        format: ImageFormat,
        observer: &dyn CopyObserver,
    ) -> Result<DiskRestoreReport, RestoreError> {
        let device = &*self.device;
        let options = NewImageOptions {
            format,
            size_bytes: device.size_bytes(),
            sector_bytes: device.sector_bytes(),
            physical_sector_bytes: device.physical_sector_bytes(),
            disk_id: self.disk_id,
        };
        copy_into(device, out, &options, observer).map_err(|cause| {
            let what = format!(
                "cannot restore disk {} of point {}",
                self.number, self.point
            );
            RestoreError::new(what, cause)
        })
    }
}

/// Restores any stream into a new image at `out`.
pub(crate) fn restore_stream(
    repository: &Repository,
    stream: &Stream,
    out: &Path,
    options: &NewImageOptions,
    observer: &dyn CopyObserver,
) -> Result<DiskRestoreReport, Cause> {
    let source = repository.open_stream(stream)?;
    copy_into(&source, out, options, observer)
}

fn copy_into(
    source: &dyn BlockDevice,
    out: &Path,
    options: &NewImageOptions,
    observer: &dyn CopyObserver,
) -> Result<DiskRestoreReport, Cause> {
    let target = create(out, options)?;
    let threads = std::thread::available_parallelism().map_or(2, usize::from) + 1;
    let copy = copy(source, &target, observer, threads)?;
    Box::new(target).finish()?;
    Ok(DiskRestoreReport {
        path: out.display().to_string(),
        format: options.format.to_string(),
        copy,
    })
}
