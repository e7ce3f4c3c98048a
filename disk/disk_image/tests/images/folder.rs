//! A folder with chains in it.

use std::path::{Path, PathBuf};

use block_io::{BlockDevice, DiskErrorKind, NewImage as _};
use disk_image::{
    DifferencingOptions, DiskImage, ImageFormat, NewImageOptions, OpenOptions, create,
    create_differencing, open,
};

pub(crate) const SIZE: u64 = 8 << 20;

/// A temporary folder, with all links in its own path resolved.
pub(crate) struct Folder {
    path: PathBuf,
    _guard: tempfile::TempDir,
}

impl Folder {
    pub(crate) fn new() -> Self {
        let guard = tempfile::tempdir().unwrap();
        Self {
            path: guard.path().canonicalize().unwrap(),
            _guard: guard,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of a file, whose folder is made where it is not there.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        let path = self.path.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    /// Makes a base image with `byte` in its first 4 KiB.
    pub(crate) fn base(&self, name: &str, format: ImageFormat, byte: u8) -> PathBuf {
        let path = self.at(name);
        let image = create(&path, &NewImageOptions::new(format, SIZE)).unwrap();
        image.write_at(0, &[byte; 4096]).unwrap();
        Box::new(image).finish().unwrap();
        path
    }

    /// Makes a child with `byte` in the 4 KiB at `at`.
    pub(crate) fn child(&self, name: &str, parent: &Path, at: u64, byte: u8) -> PathBuf {
        self.child_with(name, parent, at, byte, &DifferencingOptions::default())
    }

    pub(crate) fn child_with(
        &self,
        name: &str,
        parent: &Path,
        at: u64,
        byte: u8,
        options: &DifferencingOptions,
    ) -> PathBuf {
        let path = self.at(name);
        let image = create_differencing(&path, parent, options).unwrap();
        image.write_at(at, &[byte; 4096]).unwrap();
        Box::new(image).finish().unwrap();
        path
    }

    /// Opens an image with this folder as the root.
    pub(crate) fn open(&self, path: &Path) -> Result<DiskImage, block_io::DiskError> {
        open(path, &OpenOptions::below(&self.path))
    }

    pub(crate) fn open_kind(&self, path: &Path) -> Option<DiskErrorKind> {
        self.open(path).err().map(|error| error.kind())
    }
}

pub(crate) fn read_all(device: &dyn BlockDevice) -> Vec<u8> {
    let mut bytes = vec![0xEE; device.size_bytes() as usize];
    device.read_at(0, &mut bytes).unwrap();
    bytes
}
