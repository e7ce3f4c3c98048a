//! Any image into any other.

use std::path::Path;

use block_io::{BlockDevice as _, DiskError, NewImage as _};

use crate::copy::{CopyObserver, CopyReport, copy};
use crate::disk_image::{OpenOptions, open};
use crate::image_format::ImageFormat;
use crate::new_image_file::{NewImageOptions, create};

/// Converts an image, with all its parents, into one new file.
///
/// The new disk has the old one's sector sizes and, as VHDX, its identity. The source is checked
/// for changes before the new file gets its name. Errors: those of [`open`], [`create`] and
/// [`copy`], and `Changed`.
pub fn convert(
    source: &Path,
    source_options: &OpenOptions,
    target: &Path,
    format: ImageFormat,
    observer: &dyn CopyObserver,
    threads: usize,
) -> Result<CopyReport, DiskError> {
    let image = open(source, source_options)?;
    let sector_bytes = u64::from(image.sector_bytes());
    let size_bytes = match format {
        ImageFormat::Raw => image.size_bytes(),
        // Only a raw file can end inside a sector.
        _ => image.size_bytes().next_multiple_of(sector_bytes),
    };
    let new = create(
        target,
        &NewImageOptions {
            format,
            size_bytes,
            sector_bytes: image.sector_bytes(),
            physical_sector_bytes: image.physical_sector_bytes(),
            disk_id: image.disk_id(),
        },
    )?;
    let report = copy(&image, &new, observer, threads)?;
    image.check_unchanged()?;
    Box::new(new).finish()?;
    Ok(report)
}
