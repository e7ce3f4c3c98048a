//! A volume as the crates for XFS and Btrfs want one, and what they do when they fail.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::corrupt;
use super::volume_reader::VolumeReader;
use crate::{FileError, FileErrorKind};

/// A volume for a crate that reads through `fs_core`.
pub(crate) struct ForeignReader {
    reader: Arc<VolumeReader>,
    /// What reads as zeros.
    hidden: Range<u64>,
}

impl ForeignReader {
    pub(crate) fn new(reader: Arc<VolumeReader>) -> Self {
        Self::hiding(reader, 0..0)
    }

    /// Hides a part of the volume, in bytes.
    pub(crate) fn hiding(reader: Arc<VolumeReader>, hidden: Range<u64>) -> Self {
        Self { reader, hidden }
    }
}

impl fs_core::BlockRead for ForeignReader {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> fs_core::Result<()> {
        self.reader.read(offset, buf).map_err(|error| {
            let kind = match error.kind() {
                FileErrorKind::Disk => std::io::ErrorKind::Other,
                _ => std::io::ErrorKind::InvalidData,
            };
            fs_core::Error::Io(std::io::Error::new(kind, error.to_string()))
        })?;
        if !self.hidden.is_empty() {
            let bytes = (offset..).zip(buf);
            let hidden = bytes.filter(|(at, _)| self.hidden.contains(at));
            hidden.for_each(|(_, byte)| *byte = 0);
        }
        Ok(())
    }

    fn size_bytes(&self) -> u64 {
        self.reader.size_bytes()
    }
}

/// Takes what a crate says of a read that failed, which has become text on the way.
pub(crate) fn failed_read(text: &str) -> FileError {
    let kind = if text.contains("beyond its volume") {
        FileErrorKind::Corrupt
    } else {
        FileErrorKind::Disk
    };
    FileError::new(kind, text)
}

/// Calls a crate that is not ours. Where it panics at what it read, that is damage; what it leaves
/// locked fails from then on, likewise.
pub(crate) fn guarded<T>(call: impl FnOnce() -> Result<T, FileError>) -> Result<T, FileError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no reason");
        Err(corrupt(format!(
            "its reader gave up at what it read ({text})"
        )))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_damage() {
        let error = guarded::<()>(|| {
            let nothing: Option<()> = None;
            nothing.map(Ok).expect("there is something")
        });
        let error = error.unwrap_err();
        assert_eq!(error.kind(), FileErrorKind::Corrupt);
        assert!(error.to_string().contains("there is something"), "{error}");
    }
}
