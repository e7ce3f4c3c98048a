//! How much room a folder's volume has.

use std::io;
use std::path::Path;

/// The room of a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FolderSpace {
    /// What this user can still write.
    pub free_bytes: u64,
    /// The size of the volume.
    pub total_bytes: u64,
}

/// Returns the room of the volume that a folder lies on.
#[cfg(unix)]
pub fn folder_space(folder: &Path) -> io::Result<FolderSpace> {
    let volume = rustix::fs::statvfs(folder)?;
    let bytes = |blocks: u64| blocks.saturating_mul(volume.f_frsize);
    Ok(FolderSpace {
        free_bytes: bytes(volume.f_bavail),
        total_bytes: bytes(volume.f_blocks),
    })
}

/// Returns the room of the volume, or of the quota on it, that a folder lies on.
#[cfg(windows)]
pub fn folder_space(folder: &Path) -> io::Result<FolderSpace> {
    let volume = fs4::statvfs(folder)?;
    Ok(FolderSpace {
        free_bytes: volume.available_space(),
        total_bytes: volume.total_space(),
    })
}
