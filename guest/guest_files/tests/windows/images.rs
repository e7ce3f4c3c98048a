//! What these tests make of volumes in files.

use disk_model::VolumeImage;
use guest_files::{GuestFileSystem, OpenOptions, open_file_system};
use volume_map::Content;

pub(crate) const MIB: u64 = 1 << 20;

/// What is asked of an image here.
pub(crate) trait ImageFiles {
    /// Opens its file system, with all that can be known of it.
    fn open(&self, content: Content) -> Box<dyn GuestFileSystem>;
}

impl ImageFiles for VolumeImage {
    fn open(&self, content: Content) -> Box<dyn GuestFileSystem> {
        let mut options = OpenOptions::default();
        options.count_used = true;
        open_file_system(self.disk(), content, options).unwrap()
    }
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
