//! A volume in a file, which real tools make and fill.

#![expect(clippy::unwrap_used, reason = "for tests, which it fails")]

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use block_io::{
    BlockDevice, DiskError, Extent, ExtentKind, ImageFile as _, OsFile, Place, check_range,
};
use tempfile::TempDir;

use crate::independent_tools::run;

/// A volume in a folder of its own, which goes with it.
#[derive(Debug)]
pub struct VolumeImage {
    folder: TempDir,
}

impl VolumeImage {
    /// Makes an image of zeros, which takes no room.
    pub fn new(size_bytes: u64) -> Self {
        let image = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let file = File::create_new(image.path()).unwrap();
        file.set_len(size_bytes).unwrap();
        image
    }

    /// Copies it as it is at this moment.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let status = Command::new("cp")
            .arg("--sparse=always")
            .args([self.path(), copy.path()])
            .status();
        assert!(status.unwrap().success());
        copy
    }

    /// Returns the image's path.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    /// Returns its folder, for what a test has beside it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Opens it, for reading alone, as the first of its guest's disks.
    pub fn disk(&self) -> Arc<dyn BlockDevice> {
        let file = OsFile::open(&self.path()).unwrap();
        let size_bytes = file.size_bytes().unwrap();
        Arc::new(FileDisk { file, size_bytes })
    }

    /// Runs a tool with the image's path in place of `IMAGE` and the folder's in place of `DIR`.
    /// `None`: it is not installed, and the test is skipped.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Option<String> {
        let folder = self.folder().to_str().unwrap();
        let image = format!("{folder}/image");
        let arguments: Vec<String> = arguments
            .iter()
            .map(|text| text.replace("IMAGE", &image).replace("DIR", folder))
            .collect();
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        run(program, &arguments)
    }

    /// Writes over a part of it.
    pub fn patch(&self, offset: u64, bytes: &[u8]) {
        let mut file = OpenOptions::new().write(true).open(self.path()).unwrap();
        file.seek(SeekFrom::Start(offset)).unwrap();
        file.write_all(bytes).unwrap();
    }

    /// Reads a part of it.
    pub fn read(&self, offset: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.disk().read_at(offset, &mut bytes).unwrap();
        bytes
    }
}

/// A file, byte for byte.
struct FileDisk {
    file: OsFile,
    size_bytes: u64,
}

impl BlockDevice for FileDisk {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        check_range(self.size_bytes, offset, buf.len() as u64)?;
        self.file.read_exact_at(offset, buf).unwrap();
        Ok(())
    }

    fn extent_at(&self, _offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        Ok(Extent {
            kind: ExtentKind::Data,
            len_bytes: max_bytes,
        })
    }

    fn place_at(&self, offset: u64, max_bytes: u64) -> Option<Place> {
        Some(Place {
            disk: 0,
            offset,
            len_bytes: max_bytes,
        })
    }
}

/// Bytes that follow from a number and do not compress.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(len).collect()
}
