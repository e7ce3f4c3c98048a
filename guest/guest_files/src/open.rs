//! From a volume to its file system.

use std::sync::Arc;

use block_io::BlockDevice;
use volume_map::Content;

use crate::btrfs::BtrfsFileSystem;
use crate::exfat::ExFat;
use crate::ext::ExtFileSystem;
use crate::fat::Fat;
use crate::ntfs::Ntfs;
use crate::xfs::XfsFileSystem;
use crate::{FileError, FileErrorKind, GuestFileSystem};

/// How to open a file system.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct OpenOptions {
    /// Count what is in use also where all of a bitmap must be read for it: 8 MiB of 256 GiB.
    pub count_used: bool,
}

/// Opens the file system of a volume for reading.
///
/// # Errors
///
/// `Unreadable` where there is no reader for what the volume holds, `Corrupt` where it is not what it
/// says, `Disk`.
pub fn open_file_system(
    volume: Arc<dyn BlockDevice>,
    content: Content,
    options: OpenOptions,
) -> Result<Box<dyn GuestFileSystem>, FileError> {
    Ok(match content {
        Content::Btrfs => Box::new(BtrfsFileSystem::open(vec![volume])?),
        Content::Ext => Box::new(ExtFileSystem::open(volume)?),
        Content::ExFat => Box::new(ExFat::open(volume, options)?),
        Content::Fat12 | Content::Fat16 | Content::Fat32 => Box::new(Fat::open(volume, options)?),
        Content::Ntfs => Box::new(Ntfs::open(volume, options)?),
        Content::Xfs => Box::new(XfsFileSystem::open(volume)?),
        content => {
            return Err(FileError::new(
                FileErrorKind::Unreadable,
                format!("there is no reader for {}", content.name()),
            ));
        }
    })
}

/// Opens a file system that lies on several volumes, of which [`crate::device_of`] tells that they
/// belong together. Places of files are told on the first. Where some are missing, the state says so,
/// and what has a copy on the others is read.
///
/// # Errors
///
/// Those of [`open_file_system`]; `Unreadable` for several volumes of what lies on one.
pub fn open_file_system_over(
    volumes: Vec<Arc<dyn BlockDevice>>,
    content: Content,
    options: OpenOptions,
) -> Result<Box<dyn GuestFileSystem>, FileError> {
    match (content, volumes.as_slice()) {
        (Content::Btrfs, [_, ..]) => Ok(Box::new(BtrfsFileSystem::open(volumes)?)),
        (content, [volume]) => open_file_system(Arc::clone(volume), content, options),
        (content, others) => Err(FileError::new(
            FileErrorKind::Unreadable,
            format!(
                "{} does not lie on {} volumes",
                content.name(),
                others.len()
            ),
        )),
    }
}
