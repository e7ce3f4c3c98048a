//! What a restored file is made of.

use std::path::Path;

use block_io::BlockDevice as _;
use disk_image::{CopyObserver, CopyReport, ImageFormat, NewImageOptions};
use repository::{Repository, RestorePoint};

use crate::disk_restore::restore_stream;
use crate::error::Cause;
use crate::point_disk::open_disk;

/// What a restored file is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum DiskContent {
    /// Nothing: the file is there.
    #[default]
    Nothing,
    /// The disk of this number, as one file.
    Disk(u32),
    /// The image at this place among the point's, byte for byte.
    Image(usize),
}

impl DiskContent {
    /// Names it within its point.
    pub(crate) fn key(self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Disk(number) => format!("disk {number}"),
            Self::Image(number) => format!("image {number}"),
        }
    }

    /// Writes it into a new file, as it was at a checkpoint where one is named. `new_identity`: the
    /// virtual disk is not the one that it was.
    pub(crate) fn write(
        self,
        repository: &Repository,
        (point, checkpoint): (&RestorePoint, Option<&str>),
        out: &Path,
        new_identity: bool,
        observer: &dyn CopyObserver,
    ) -> Result<CopyReport, Cause> {
        let done = match self {
            Self::Nothing => return Ok(CopyReport::default()),
            Self::Disk(number) => {
                let mut disk = open_disk(repository, point, number, checkpoint)?;
                if new_identity {
                    disk.disk_id = None;
                }
                // A host takes no raw disks.
                let format = match disk.format {
                    ImageFormat::Raw => ImageFormat::Vhdx,
                    format => format,
                };
                disk.restore(out, format, observer)?
            }
            Self::Image(number) => {
                let image = point.images.get(number).ok_or("no such image")?;
                let device = repository.open_stream(image)?;
                let options = NewImageOptions::new(ImageFormat::Raw, device.size_bytes());
                restore_stream(repository, image, out, &options, observer)?
            }
        };
        Ok(done.copy)
    }
}
