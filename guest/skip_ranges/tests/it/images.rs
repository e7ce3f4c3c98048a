//! Images that real tools made.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use block_io::{ByteRanges, LayeredDisk, OsFile};
use disk_image::RawLayer;
use disk_model::independent_tools::run;
use skip_ranges::{SkipPlan, SkipReason, SkipRequest, VolumeVerdict, skip_plan};
use tempfile::TempDir;

pub(crate) const MIB: u64 = 1 << 20;

/// A file's name and content.
pub(crate) type NamedBytes = (String, Vec<u8>);

/// An image in a folder of its own.
pub(crate) struct Image {
    pub(crate) folder: TempDir,
}

impl Image {
    /// Makes an empty image.
    pub(crate) fn new(size_bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let image = Self { folder };
        let file = File::create_new(image.path()).unwrap();
        file.set_len(size_bytes).unwrap();
        image
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    pub(crate) fn disk(&self) -> LayeredDisk {
        let file = Arc::new(OsFile::open(&self.path()).unwrap());
        LayeredDisk::new(vec![Arc::new(RawLayer::open(file).unwrap())]).unwrap()
    }

    pub(crate) fn plan(&self, request: &SkipRequest) -> SkipPlan {
        skip_plan(&self.disk(), request).unwrap()
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

    /// Writes over ranges. If that hurts nobody, leaving them out does not.
    pub(crate) fn spoil(&self, ranges: &ByteRanges) {
        let mut file = OpenOptions::new().write(true).open(self.path()).unwrap();
        let rubbish = vec![0xE5; usize::try_from(MIB).unwrap()];
        for range in ranges.iter() {
            file.seek(SeekFrom::Start(range.start)).unwrap();
            let mut left = range.end - range.start;
            while left > 0 {
                let len = left.min(MIB);
                file.write_all(&rubbish[..usize::try_from(len).unwrap()])
                    .unwrap();
                left -= len;
            }
        }
    }

    pub(crate) fn patch(&self, offset: u64, bytes: &[u8]) {
        let mut file = OpenOptions::new().write(true).open(self.path()).unwrap();
        file.seek(SeekFrom::Start(offset)).unwrap();
        file.write_all(bytes).unwrap();
    }

    pub(crate) fn read(&self, offset: u64, len: usize) -> Vec<u8> {
        use block_io::BlockDevice as _;
        let mut bytes = vec![0; len];
        self.disk().read_at(offset, &mut bytes).unwrap();
        bytes
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

/// Makes files of several sizes in a folder; returns their names and contents.
pub(crate) fn files(folder: &Path) -> Vec<NamedBytes> {
    std::fs::create_dir(folder).unwrap();
    let sizes = [0, 10, 5_000, 70_000, 300_000, 2_500_000];
    let files = sizes.iter().zip(0..).map(|(size, number)| {
        let name = format!("file{number}");
        let bytes = content(number, *size);
        std::fs::write(folder.join(&name), &bytes).unwrap();
        (name, bytes)
    });
    files.collect()
}

pub(crate) fn bytes_of(volume: &VolumeVerdict, reason: SkipReason) -> u64 {
    let found = volume.skippable.iter().find(|(known, _)| *known == reason);
    found.map_or(0, |(_, bytes)| *bytes)
}

/// Says whether all of the one set is in the other.
pub(crate) fn is_inside(ranges: &ByteRanges, outer: &[Range<u64>]) -> bool {
    let outer: ByteRanges = outer.iter().cloned().collect();
    ranges.iter().all(|range| outer.covers(range))
}

pub(crate) fn words(volume: &VolumeVerdict) -> Vec<&'static str> {
    let words = volume.refusals.iter().map(|refusal| refusal.kind.name());
    words.collect()
}
