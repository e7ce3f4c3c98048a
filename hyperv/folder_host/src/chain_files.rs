//! Which files a chain consists of, also where it is broken.

use std::path::{Path, PathBuf};

use block_io::DiskError;
use disk_image::{DiskImage, OpenOptions};

/// Returns the files of the chain from `leaf` on, links resolved, leaf first. Of a chain that
/// could not be opened, those that were found before it broke: they belong to this disk, and are
/// no disks of their own.
pub(crate) fn chain_files(
    leaf: &Path,
    image: &Result<DiskImage, DiskError>,
    root: &Path,
) -> Vec<PathBuf> {
    if let Ok(image) = image {
        return image.chain().iter().map(|file| file.path.clone()).collect();
    }
    let mut files: Vec<PathBuf> = disk_image::check(leaf, &OpenOptions::below(root))
        .map(|report| report.files.into_iter().map(|file| file.path).collect())
        .unwrap_or_default();
    if files.is_empty() {
        files.extend(leaf.canonicalize().ok());
    }
    files
}
