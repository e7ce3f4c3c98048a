//! Image files of a point, put into a folder as a restore does.

use std::path::{Path, PathBuf};

use block_io::BlockDevice as _;
use disk_image::OpenOptions;
use hyperv_host::{ImageSource, VmSource};

/// Writes the images of a source into a folder.
pub(crate) fn write_images(source: &VmSource, folder: &Path) {
    for image in &source.images {
        let path = folder.join(&image.relative_path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes_of(image)).unwrap();
    }
}

fn bytes_of(image: &ImageSource) -> Vec<u8> {
    let size = usize::try_from(image.file.size_bytes().unwrap()).unwrap();
    let mut bytes = vec![0; size];
    image.file.read_exact_at(0, &mut bytes).unwrap();
    bytes
}

/// Returns what a written image holds, with all its parents.
pub(crate) fn content(folder: &Path, relative_path: &str) -> Vec<u8> {
    let path: PathBuf = folder.join(relative_path);
    let image = disk_image::open(&path, &OpenOptions::below(folder)).unwrap();
    let mut bytes = vec![0; usize::try_from(image.size_bytes()).unwrap()];
    image.read_at(0, &mut bytes).unwrap();
    bytes
}
