//! A file of this machine.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::{DiskError, DiskErrorKind, FileStamp, ImageFile, WritableFile};

/// A file of this machine.
///
/// [`OsFile::open`] opens for reading alone, so that no mistake above can change a source.
#[derive(Debug)]
pub struct OsFile {
    name: String,
    path: PathBuf,
    file: File,
    /// The file system can be asked for holes: set where the file occupies less than its length.
    #[cfg_attr(
        not(any(target_os = "linux", target_os = "macos", target_os = "freebsd")),
        expect(dead_code, reason = "holes are asked for where `seek` can find them")
    )]
    sparse: bool,
}

impl OsFile {
    /// Opens an existing file for reading. Fails with `InUse` where somebody holds it for writing.
    pub fn open(path: &Path) -> Result<Self, DiskError> {
        let opened = Self::open_with(path, share_with_readers_only)?;
        // A shared lock is refused while another process holds an exclusive one; a file system
        // without locks is not a reason to refuse a backup.
        if let Err(std::fs::TryLockError::WouldBlock) = opened.file.try_lock_shared() {
            return Err(in_use(&opened.name));
        }
        Ok(opened)
    }

    /// Opens a file that a host holds still for us, for reading, and stands in nobody's way: the
    /// host has it open as well, and merges or removes it when it likes. That it did not change
    /// meanwhile is seen by its stamp.
    pub fn open_held_still(path: &Path) -> Result<Self, DiskError> {
        Self::open_with(path, share_with_everybody)
    }

    fn open_with(path: &Path, share: fn(&mut OpenOptions)) -> Result<Self, DiskError> {
        let name = path.display().to_string();
        let mut options = OpenOptions::new();
        options.read(true);
        share(&mut options);
        let file = options
            .open(path)
            .map_err(|error| open_error(&name, error))?;
        let metadata = file.metadata().map_err(|error| open_error(&name, error))?;
        if !metadata.is_file() {
            return Err(
                DiskError::new(DiskErrorKind::Unsupported, "this is not a regular file")
                    .in_file(&name),
            );
        }
        let sparse = occupied_bytes(&metadata).is_some_and(|bytes| bytes < metadata.len());
        Ok(Self {
            name,
            path: path.to_owned(),
            file,
            sparse,
        })
    }

    /// Makes a new file for writing and reading; an existing one is an error.
    pub fn create_new(path: &Path) -> Result<Self, DiskError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        Self::with_options(path, &options, "cannot make this file")
    }

    /// Opens a file of ours, or one the person asked us to change, for writing and reading.
    pub fn open_writable(path: &Path) -> Result<Self, DiskError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        Self::with_options(path, &options, "cannot open this file for writing")
    }

    fn with_options(path: &Path, options: &OpenOptions, what: &str) -> Result<Self, DiskError> {
        let name = path.display().to_string();
        let file = options
            .open(path)
            .map_err(|error| DiskError::io(&name, what, error))?;
        Ok(Self {
            name,
            path: path.to_owned(),
            file,
            sparse: false,
        })
    }

    /// Takes the file for ourselves until it is closed; `false`: another program has it.
    ///
    /// A file system without locks counts as taken: nobody could hold it either.
    pub fn try_lock_exclusive(&self) -> bool {
        !matches!(self.file.try_lock(), Err(std::fs::TryLockError::WouldBlock))
    }

    /// See [`leave_page_cache`].
    pub fn leave_page_cache(&self) {
        leave_page_cache(&self.file);
    }

    /// Returns the path that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for OsFile {
    fn drop(&mut self) {
        // Closing is not enough: a child process that is just being started holds a copy of the
        // open file, and with it the lock, for a moment.
        let _ = self.file.unlock();
    }
}

/// Gives back the memory in which the system keeps what was flushed of a file. Advice: where the system
/// takes none, nothing happens.
pub fn leave_page_cache(file: &File) {
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
    let _ = file;
}

fn in_use(name: &str) -> DiskError {
    DiskError::new(
        DiskErrorKind::InUse,
        "another program has this file open for writing",
    )
    .in_file(name)
    .hint("shut the virtual machine down, or back up a checkpoint of it, and try again")
}

fn open_error(name: &str, error: io::Error) -> DiskError {
    // ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION.
    if cfg!(windows) && matches!(error.raw_os_error(), Some(32 | 33)) {
        return in_use(name).caused_by(error);
    }
    DiskError::io(name, "cannot open this file", error)
}

#[cfg(windows)]
fn share_with_readers_only(options: &mut OpenOptions) {
    use std::os::windows::fs::OpenOptionsExt as _;
    // FILE_SHARE_READ: opening fails while Hyper-V writes, and nobody can start to write later.
    options.share_mode(1);
}

#[cfg(not(windows))]
fn share_with_readers_only(_options: &mut OpenOptions) {}

#[cfg(windows)]
fn share_with_everybody(options: &mut OpenOptions) {
    use std::os::windows::fs::OpenOptionsExt as _;
    // FILE_SHARE_READ, FILE_SHARE_WRITE, FILE_SHARE_DELETE.
    options.share_mode(7);
}

#[cfg(not(windows))]
fn share_with_everybody(_options: &mut OpenOptions) {}

#[cfg(unix)]
fn occupied_bytes(metadata: &Metadata) -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    Some(metadata.blocks().saturating_mul(512))
}

#[cfg(not(unix))]
fn occupied_bytes(_metadata: &Metadata) -> Option<u64> {
    None
}

#[cfg(unix)]
fn replaced(open: &Metadata, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).map_or(true, |now| {
        (now.dev(), now.ino()) != (open.dev(), open.ino())
    })
}

#[cfg(not(unix))]
fn replaced(_open: &Metadata, path: &Path) -> bool {
    // An open file cannot be replaced here: we share it with readers alone.
    !path.exists()
}

impl ImageFile for OsFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    #[cfg(unix)]
    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, buf, offset)
    }

    #[cfg(windows)]
    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let mut rest = buf;
        let mut offset = offset;
        while !rest.is_empty() {
            match std::os::windows::fs::FileExt::seek_read(&self.file, rest, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    rest = &mut rest[read..];
                    offset += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    #[cfg(any(target_os = "linux", target_os = "macos", target_os = "freebsd"))]
    fn file_extent_at(&self, offset: u64, max_bytes: u64) -> io::Result<crate::LayerExtent> {
        use crate::LayerExtent;
        use crate::LayerExtentKind::{Data, Parent};
        use rustix::fs::{SeekFrom, seek};
        if !self.sparse {
            return Ok(LayerExtent {
                kind: Data,
                len_bytes: max_bytes,
            });
        }
        // Nothing here uses the file's cursor, so moving it does no harm to other threads.
        let data = match seek(&self.file, SeekFrom::Data(offset)) {
            Ok(data) => data,
            // There is no data from here to the end.
            Err(rustix::io::Errno::NXIO) => {
                return Ok(LayerExtent {
                    kind: Parent,
                    len_bytes: max_bytes,
                });
            }
            Err(_) => {
                return Ok(LayerExtent {
                    kind: Data,
                    len_bytes: max_bytes,
                });
            }
        };
        if data > offset {
            return Ok(LayerExtent {
                kind: Parent,
                len_bytes: (data - offset).min(max_bytes),
            });
        }
        match seek(&self.file, SeekFrom::Hole(offset)) {
            Ok(hole) if hole > offset => Ok(LayerExtent {
                kind: Data,
                len_bytes: (hole - offset).min(max_bytes),
            }),
            _ => Ok(LayerExtent {
                kind: Data,
                len_bytes: max_bytes,
            }),
        }
    }

    fn stamp(&self) -> io::Result<Option<FileStamp>> {
        let metadata = self.file.metadata()?;
        Ok(Some(FileStamp {
            size_bytes: metadata.len(),
            modified: metadata.modified().ok(),
            replaced: replaced(&metadata, &self.path),
        }))
    }
}

impl WritableFile for OsFile {
    #[cfg(unix)]
    fn write_all_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&self.file, data, offset)
    }

    #[cfg(windows)]
    fn write_all_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut rest = data;
        let mut offset = offset;
        while !rest.is_empty() {
            match std::os::windows::fs::FileExt::seek_write(&self.file, rest, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    rest = &rest[written..];
                    offset += written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn set_size_bytes(&self, size_bytes: u64) -> io::Result<()> {
        self.file.set_len(size_bytes)
    }

    fn flush(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}
