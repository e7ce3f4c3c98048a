//! One image file of a checkpoint tree into one stream.

use std::sync::Arc;

use block_io::{BlockDevice, DiskError, LayeredDisk};
use disk_image::RawLayer;
use hyperv_host::{FullReason, ImageSource};
use repository::{RestorePoint, RunWriter, Stream, StreamRead, StreamRole};

use crate::ImageItem;
use crate::progress::Progress;
use crate::throttle::{Throttle, Throttled};
use crate::vm_backup::BackupError;

/// One image file's turn.
pub(crate) struct ImageBackup<'a> {
    pub(crate) run: &'a RunWriter,
    pub(crate) image: &'a ImageSource,
    /// Position among the images.
    pub(crate) number: u32,
    pub(crate) parent: Option<&'a RestorePoint>,
    pub(crate) throttle: Option<&'a Throttle>,
    pub(crate) progress: &'a Progress<'a>,
}

impl ImageBackup<'_> {
    /// Stores the file, byte for byte. Where the last point has a file of the same name, spans
    /// that are still the same are not looked up.
    pub(crate) fn store(&self) -> Result<(Stream, ImageItem), BackupError> {
        let image = self.image;
        let file = as_disk(image)?;
        let throttled;
        let device: &dyn BlockDevice = match self.throttle {
            Some(throttle) => {
                throttled = Throttled {
                    disk: &file,
                    throttle,
                };
                &throttled
            }
            None => &file,
        };
        let earlier = self.parent.into_iter().flat_map(|point| &point.images);
        let mut earlier = earlier.filter(|stream| stream.name == image.relative_path);
        let stored = self
            .run
            .store_stream(device, earlier.next(), self.progress)?;
        let size_bytes = device.size_bytes();
        let stream = Stream {
            number: self.number,
            format: Some(image.format.clone()),
            disk_id: image.disk_id.clone(),
            parent: image.parent.clone(),
            root: stored.root,
            statistics: stored.statistics,
            read: Some(StreamRead::Everything {
                reason: FullReason::NotTracked.name().to_owned(),
            }),
            ..Stream::of_file(
                StreamRole::Image,
                &image.relative_path,
                &image.configured_path,
                size_bytes,
            )
        };
        let item = ImageItem {
            name: image.relative_path.clone(),
            size_bytes,
            statistics: stored.statistics,
        };
        Ok((stream, item))
    }
}

/// Returns the bytes of the file as a disk.
fn as_disk(image: &ImageSource) -> Result<LayeredDisk, DiskError> {
    let layer = Arc::new(RawLayer::open(Arc::clone(&image.file))?);
    LayeredDisk::new(vec![layer])
}
