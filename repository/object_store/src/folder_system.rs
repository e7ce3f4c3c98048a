//! The few things that a folder store asks of the file system.
//!
//! They are a trait so that a test can fail, tear or lose each of them; see `store_faults`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// What a folder store does to a file system, one step a call.
pub trait FolderSystem: Send + Sync {
    /// Makes a folder and those above it.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// Writes a new file. It need not survive a power cut.
    fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Returns once the bytes of a file would survive a power cut.
    fn flush_file(&self, path: &Path) -> io::Result<()>;

    /// Gives a file a second name, or a new one, without replacing: `AlreadyExists` where the
    /// target is there. The first name may be gone afterwards. Where a folder cannot be flushed
    /// (Windows), the name is durable when this returns.
    fn publish(&self, temporary: &Path, target: &Path) -> io::Result<()>;

    /// Returns once the names in a folder would survive a power cut.
    fn flush_folder(&self, path: &Path) -> io::Result<()>;

    /// Removes a file; one that is not there is no error.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// Gives back the memory in which the system keeps a file that was just flushed.
///
/// A backup writes much and reads little of it soon. What it leaves in the page cache pushes out
/// what the machine's own work needs, and fresh pages for each pack cost more than the copy.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn leave_page_cache(file: &File) {
    // Advice: a file system that cannot take it loses nothing.
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn leave_page_cache(_file: &File) {}

#[cfg(any(unix, test))]
fn cannot_be_flushed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
    )
}

/// The file system of this machine.
#[derive(Debug, Default, Clone, Copy)]
pub struct OsFolderSystem;

impl FolderSystem for OsFolderSystem {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        file.write_all(bytes)
    }

    fn flush_file(&self, path: &Path) -> io::Result<()> {
        // Opened for writing because Windows flushes no other handle.
        let file = OpenOptions::new().write(true).open(path)?;
        file.sync_all()?;
        leave_page_cache(&file);
        Ok(())
    }

    fn publish(&self, temporary: &Path, target: &Path) -> io::Result<()> {
        match fs::hard_link(temporary, target) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
            // A file system without links (FAT, some shares). Names are random or by content, so
            // the moment between the look and the rename is only the second defence's.
            Err(_) if !target.exists() => fs::rename(temporary, target),
            Err(_) => Err(io::ErrorKind::AlreadyExists.into()),
        }?;
        // Flushing a file on NTFS flushes its names with it, and those of the folders above.
        #[cfg(windows)]
        OpenOptions::new().write(true).open(target)?.sync_all()?;
        Ok(())
    }

    #[cfg(unix)]
    fn flush_folder(&self, path: &Path) -> io::Result<()> {
        match File::open(path)?.sync_all() {
            // Some network file systems cannot flush a folder and need not.
            Err(error) if cannot_be_flushed(&error) => Ok(()),
            result => result,
        }
    }

    #[cfg(not(unix))]
    fn flush_folder(&self, path: &Path) -> io::Result<()> {
        // A folder has no handle here that can be flushed without privileges: `publish` flushes.
        let _ = (path, std::marker::PhantomData::<File>);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_flush_that_cannot_be_is_no_failure() {
        assert!(cannot_be_flushed(&io::ErrorKind::InvalidInput.into()));
        assert!(cannot_be_flushed(&io::ErrorKind::Unsupported.into()));
        assert!(!cannot_be_flushed(&io::ErrorKind::StorageFull.into()));
    }
}
