//! Images that real tools made.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions as FileOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use block_io::{BlockDevice, DiskError, Extent, LayeredDisk, OsFile};
use disk_image::RawLayer;
use disk_model::independent_tools::run;
use guest_files::{GuestFileSystem, OpenOptions, open_file_system};
use tempfile::TempDir;
use volume_map::Content;

pub(crate) const MIB: u64 = 1 << 20;

/// An image in a folder of its own.
pub(crate) struct Image {
    pub(crate) folder: TempDir,
}

impl Image {
    /// Makes an empty image.
    pub(crate) fn new(size_bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let image = Self { folder };
        File::create_new(image.path())
            .unwrap()
            .set_len(size_bytes)
            .unwrap();
        image
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    pub(crate) fn disk(&self) -> Arc<dyn BlockDevice> {
        let file = Arc::new(OsFile::open(&self.path()).unwrap());
        Arc::new(LayeredDisk::new(vec![Arc::new(RawLayer::open(file).unwrap())]).unwrap())
    }

    pub(crate) fn open(&self, content: Content) -> Box<dyn GuestFileSystem> {
        let mut options = OpenOptions::default();
        options.count_used = true;
        open_file_system(self.disk(), content, options).unwrap()
    }

    /// Runs a tool with the image's path in place of `IMAGE` and the folder's in place of `DIR`.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Option<String> {
        let folder = self.folder.path().to_str().unwrap();
        let arguments: Vec<String> = arguments
            .iter()
            .map(|text| {
                text.replace("IMAGE", &format!("{folder}/image"))
                    .replace("DIR", folder)
            })
            .collect();
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        run(program, &arguments)
    }

    pub(crate) fn patch(&self, offset: u64, bytes: &[u8]) {
        let mut file = FileOptions::new().write(true).open(self.path()).unwrap();
        file.seek(SeekFrom::Start(offset)).unwrap();
        file.write_all(bytes).unwrap();
    }

    pub(crate) fn read(&self, offset: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.disk().read_at(offset, &mut bytes).unwrap();
        bytes
    }
}

/// A disk that counts what is read of it.
pub(crate) struct Counted {
    pub(crate) disk: Arc<dyn BlockDevice>,
    pub(crate) bytes: AtomicU64,
}

impl Counted {
    pub(crate) fn new(disk: Arc<dyn BlockDevice>) -> Arc<Self> {
        let bytes = AtomicU64::new(0);
        Arc::new(Self { disk, bytes })
    }

    pub(crate) fn read_bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl BlockDevice for Counted {
    fn size_bytes(&self) -> u64 {
        self.disk.size_bytes()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        self.bytes.fetch_add(buf.len() as u64, Ordering::Relaxed);
        self.disk.read_at(offset, buf)
    }
    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        self.disk.extent_at(offset, max_bytes)
    }
}

/// Bytes that follow from a number.
pub(crate) fn content(seed: u32, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// Text that can be compressed.
pub(crate) fn text(lines: u32) -> Vec<u8> {
    let lines = (0..lines).map(|line| {
        format!(
            "line {line} of quite compressible text, {}\n",
            line * line % 977
        )
    });
    lines.collect::<String>().into_bytes()
}
