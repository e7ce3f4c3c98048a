//! Making new image files.

use std::path::Path;
use std::sync::Arc;

use block_io::{DiskError, DiskErrorKind, NewImage, WritableFile};
use uuid::Uuid;

use crate::image_format::ImageFormat;
use crate::new_content::new_content;
use crate::output_file::OutputFile;

/// What a new image is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewImageOptions {
    /// The format of the file.
    pub format: ImageFormat,
    /// The size of the disk in bytes.
    pub size_bytes: u64,
    /// The logical sector size in bytes: 512, or 4096 where the format can say so.
    pub sector_bytes: u32,
    /// The physical sector size in bytes: 512 or 4096.
    pub physical_sector_bytes: u32,
    /// The identity of the virtual disk, which a VHDX keeps; a random one where `None`. A VHD has
    /// none: its unique id names the file, and two files must not share it.
    pub disk_id: Option<Uuid>,
}

impl NewImageOptions {
    /// Describes a disk of 512-byte sectors (4096 physical) with a random identity.
    pub fn new(format: ImageFormat, size_bytes: u64) -> Self {
        Self {
            format,
            size_bytes,
            sector_bytes: 512,
            physical_sector_bytes: 4096,
            disk_id: None,
        }
    }
}

/// A new image file that is being filled.
///
/// It is written as `<name>.lifeboat-partial` and gets its name in [`NewImage::finish`], durably and
/// without replacing anything. Dropped before, it leaves nothing behind.
pub struct NewImageFile {
    // Before `output`: whatever the writer does when it is dropped, it does to a file that is there.
    content: Box<dyn NewImage>,
    output: OutputFile,
}

/// Starts a new image file.
///
/// Errors: `Exists` before any work; `InUse` where another run is writing the same file;
/// `OutOfRange` or `Unsupported` where the format cannot hold such a disk.
pub fn create(path: &Path, options: &NewImageOptions) -> Result<NewImageFile, DiskError> {
    let noun = match options.format {
        ImageFormat::Vhd | ImageFormat::VhdFixed => Some("VHD"),
        ImageFormat::Vmdk => Some("VMDK"),
        // Raw and qcow2 leave the sectors to whoever attaches the disk.
        _ => None,
    };
    if let Some(noun) = noun.filter(|_| options.sector_bytes != 512) {
        return Err(DiskError::new(
            DiskErrorKind::Unsupported,
            format!(
                "a {noun} has sectors of 512 bytes, and this disk has sectors of {}",
                options.sector_bytes
            ),
        )
        .in_file(&path.display().to_string())
        .hint("make a VHDX"));
    }
    NewImageFile::start(path, |file| new_content(file, path, options))
}

impl NewImageFile {
    /// Starts the file and lets `content` say what goes into it.
    pub(crate) fn start(
        path: &Path,
        content: impl FnOnce(Arc<dyn WritableFile>) -> Result<Box<dyn NewImage>, DiskError>,
    ) -> Result<Self, DiskError> {
        let output = OutputFile::start(path)?;
        Ok(Self {
            content: content(output.file())?,
            output,
        })
    }
}

impl NewImage for NewImageFile {
    fn size_bytes(&self) -> u64 {
        self.content.size_bytes()
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        self.content.write_at(offset, data)
    }

    fn finish(self: Box<Self>) -> Result<(), DiskError> {
        let Self { content, output } = *self;
        content.finish()?;
        output.publish()
    }
}
