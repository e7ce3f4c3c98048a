//! Images that real tools made.

use std::fs::OpenOptions;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::Path;

use block_io::ByteRanges;
use disk_model::{VolumeImage, noise};
use skip_ranges::{SkipPlan, SkipReason, SkipRequest, VolumeVerdict, skip_plan};

pub(crate) const MIB: u64 = 1 << 20;

/// A file's name and content.
pub(crate) type NamedBytes = (String, Vec<u8>);

/// What is asked of an image here.
pub(crate) trait SkipImage {
    /// Returns what of it may be left out.
    fn plan(&self, request: &SkipRequest) -> SkipPlan;

    /// Writes over ranges. If that hurts nobody, leaving them out does not.
    fn spoil(&self, ranges: &ByteRanges);
}

impl SkipImage for VolumeImage {
    fn plan(&self, request: &SkipRequest) -> SkipPlan {
        skip_plan(&self.disk(), request).unwrap()
    }

    fn spoil(&self, ranges: &ByteRanges) {
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
}

/// Makes files of several sizes in a folder; returns their names and contents.
pub(crate) fn files(folder: &Path) -> Vec<NamedBytes> {
    std::fs::create_dir(folder).unwrap();
    let sizes = [0, 10, 5_000, 70_000, 300_000, 2_500_000];
    let files = sizes.iter().zip(0..).map(|(size, number)| {
        let name = format!("file{number}");
        let bytes = noise(number, *size);
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
