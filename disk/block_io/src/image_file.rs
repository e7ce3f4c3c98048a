//! Bytes of one image file.

use std::io;
use std::time::SystemTime;

use crate::{LayerExtent, LayerExtentKind};

/// Bytes of one file that is read by position.
///
/// | Implementor | Where |
/// |---|---|
/// | [`crate::OsFile`] | a file of this machine, opened for reading alone, or made by us |
/// | [`crate::MemoryFile`] | tests, fuzzing |
///
/// A read that does not fit inside the file is `UnexpectedEof`; nothing is ever read short.
pub trait ImageFile: Send + Sync {
    /// Returns the name that errors show.
    fn name(&self) -> &str;

    /// Returns the current length in bytes.
    fn size_bytes(&self) -> io::Result<u64>;

    /// Fills `buf` from `offset`.
    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;

    /// Says whether the file system holds anything at `offset`, for at most `max_bytes`.
    ///
    /// `Parent` is a hole of a sparse file. Without knowledge everything is data.
    fn file_extent_at(&self, offset: u64, max_bytes: u64) -> io::Result<LayerExtent> {
        let _ = offset;
        Ok(LayerExtent {
            kind: LayerExtentKind::Data,
            len_bytes: max_bytes,
        })
    }

    /// Returns what changes when somebody writes the file. `None`: cannot be told.
    fn stamp(&self) -> io::Result<Option<FileStamp>> {
        Ok(None)
    }
}

/// What changes when somebody writes a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    /// Length in bytes.
    pub size_bytes: u64,
    /// Time of the last write.
    pub modified: Option<SystemTime>,
    /// The path now leads to another file than the one that is open.
    pub replaced: bool,
}

/// Bytes of one file that we made, or that the person asked us to change.
///
/// A backup source is never opened as one of these.
pub trait WritableFile: ImageFile {
    /// Writes all of `data` at `offset`, growing the file where needed.
    fn write_all_at(&self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Sets the length; new bytes read as zero.
    fn set_size_bytes(&self, size_bytes: u64) -> io::Result<()>;

    /// Returns once everything written so far would survive a power cut.
    fn flush(&self) -> io::Result<()>;
}
