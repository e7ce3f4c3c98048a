//! Which devices belong together.

use std::sync::Arc;

use block_io::BlockDevice;
use fs_btrfs::superblock::read_superblock;
use volume_map::Content;

use super::failure;
use crate::FileError;
use crate::posix::fields::uuid_text;
use crate::posix::foreign_reader::{ForeignReader, guarded};
use crate::posix::volume_reader::VolumeReader;

/// What a volume says of the file system that it is a part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceOf {
    /// The file system's id, the same on all of its devices.
    pub uuid: String,
    /// Which of its devices this is.
    pub number: u64,
    /// How many it has.
    pub devices: u64,
}

/// Says which file system a volume is a part of; `None` where its kind has one device alone.
///
/// # Errors
///
/// Those of [`crate::open_file_system`].
pub fn device_of(
    volume: Arc<dyn BlockDevice>,
    content: Content,
) -> Result<Option<DeviceOf>, FileError> {
    if content != Content::Btrfs {
        return Ok(None);
    }
    let foreign = ForeignReader::new(Arc::new(VolumeReader::new(volume, 4096)));
    let (superblock, _) = guarded(|| read_superblock(&foreign).map_err(failure))?;
    Ok(Some(DeviceOf {
        uuid: uuid_text(&superblock.fsid),
        number: superblock.dev_item.devid,
        devices: superblock.num_devices,
    }))
}
