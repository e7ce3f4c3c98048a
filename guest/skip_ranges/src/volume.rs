//! A volume as a part of a disk.

use block_io::{BlockDevice, DiskErrorKind};

use crate::fields::index;
use crate::refusal::{Read, Refusal, RefusalKind};

/// The most that is read at a time, in bytes.
pub(crate) const READ_BYTES_MAX: u64 = 1 << 20;

/// A part of a disk that a file system takes.
#[derive(Clone, Copy)]
pub(crate) struct Volume<'a> {
    disk: &'a dyn BlockDevice,
    pub(crate) offset: u64,
    pub(crate) len_bytes: u64,
}

impl<'a> Volume<'a> {
    pub(crate) fn new(disk: &'a dyn BlockDevice, offset: u64, len_bytes: u64) -> Self {
        Self {
            disk,
            offset,
            len_bytes,
        }
    }

    /// Reads a structure of at most [`READ_BYTES_MAX`] bytes, all of which lies in the volume.
    pub(crate) fn read(&self, offset: u64, len_bytes: u64) -> Read<Vec<u8>> {
        let end = offset.checked_add(len_bytes);
        if len_bytes > READ_BYTES_MAX || end.is_none_or(|end| end > self.len_bytes) {
            let what = format!("a structure of {len_bytes} bytes at {offset} leaves the volume");
            return Err(Refusal::damaged(what));
        }
        let mut bytes = vec![0; index(len_bytes)?];
        let place = self.offset.saturating_add(offset);
        self.disk.read_at(place, &mut bytes).map_err(|error| {
            let kind = match error.kind() {
                DiskErrorKind::OutOfRange => RefusalKind::Damaged,
                _ => RefusalKind::Unreadable,
            };
            Refusal::new(kind, format!("it cannot be read at {offset}: {error}"))
        })?;
        Ok(bytes)
    }

    /// Reads up to `len_bytes`; less where the volume ends.
    pub(crate) fn read_up_to(&self, offset: u64, len_bytes: u64) -> Read<Vec<u8>> {
        let rest = self.len_bytes.saturating_sub(offset);
        self.read(offset.min(self.len_bytes), len_bytes.min(rest))
    }
}
