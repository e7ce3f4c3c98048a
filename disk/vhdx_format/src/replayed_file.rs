//! An image file as it would be after its log was replayed, without changing it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use block_io::{DiskError, ImageFile, LayerExtent, LayerExtentKind};

use crate::field::index;
use crate::log::Patch;

/// The bytes of a file, with what its log holds laid over them.
///
/// What lies between the file's real end and [`ReplayedFile::size_bytes`] reads as zero, and so
/// does the rest of a payload block that the end of the file cuts.
pub(crate) struct ReplayedFile {
    file: Arc<dyn ImageFile>,
    /// Grows where a writer adds blocks; never shrinks.
    real_bytes: AtomicU64,
    patched_bytes: u64,
    patch: Option<Patch>,
}

impl ReplayedFile {
    /// Takes the file as it is, before the log is known.
    pub(crate) fn new(file: Arc<dyn ImageFile>) -> Result<Self, DiskError> {
        let real_bytes = file
            .size_bytes()
            .map_err(|error| DiskError::io(file.name(), "cannot tell the file's length", error))?;
        Ok(Self {
            file,
            real_bytes: AtomicU64::new(real_bytes),
            patched_bytes: 0,
            patch: None,
        })
    }

    /// Lays the log over the file.
    pub(crate) fn set_patch(&mut self, patch: Patch) {
        self.patched_bytes = patch.last_file_offset();
        self.patch = Some(patch);
    }

    pub(crate) fn name(&self) -> &str {
        self.file.name()
    }

    /// Returns the length after replay, in bytes.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.real_bytes().max(self.patched_bytes)
    }

    /// Returns the length of the file as it lies on the disk, in bytes.
    pub(crate) fn real_bytes(&self) -> u64 {
        self.real_bytes.load(Ordering::Acquire)
    }

    /// Notes that the file is longer now.
    pub(crate) fn grow(&self, real_bytes: u64) {
        self.real_bytes.fetch_max(real_bytes, Ordering::AcqRel);
    }

    pub(crate) fn patch(&self) -> Option<&Patch> {
        self.patch.as_ref()
    }

    /// Fills `buf` from `offset`. A range that the log does not touch is one positional read.
    pub(crate) fn read(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        self.read_unpatched(offset, buf)?;
        match &self.patch {
            Some(patch) => patch.apply(offset, buf, |at, part| self.read_unpatched(at, part)),
            None => Ok(()),
        }
    }

    /// Fills `buf` with what the file itself holds; beyond its end with zeros.
    pub(crate) fn read_unpatched(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        let inside = self
            .real_bytes()
            .saturating_sub(offset)
            .min(buf.len() as u64);
        let (inside, beyond) = buf.split_at_mut(index(inside));
        beyond.fill(0);
        if inside.is_empty() {
            return Ok(());
        }
        self.file
            .read_exact_at(offset, inside)
            .map_err(|error| DiskError::io(self.name(), "cannot read", error).at(offset))
    }

    /// Says whether the file system holds anything at `offset`; a hole is `Zero`.
    pub(crate) fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<LayerExtent, DiskError> {
        let data = LayerExtent {
            kind: LayerExtentKind::Data,
            len_bytes: max_bytes,
        };
        let patched = self
            .patch
            .as_ref()
            .is_some_and(|patch| patch.touches(offset, max_bytes));
        if patched || offset >= self.real_bytes() {
            return Ok(data);
        }
        let max_bytes = max_bytes.min(self.real_bytes() - offset);
        let extent = self
            .file
            .file_extent_at(offset, max_bytes)
            .map_err(|error| DiskError::io(self.name(), "cannot look for holes", error))?;
        let len_bytes = extent.len_bytes.clamp(1, max_bytes);
        Ok(match extent.kind {
            LayerExtentKind::Data => LayerExtent { len_bytes, ..data },
            LayerExtentKind::Zero | LayerExtentKind::Parent => LayerExtent {
                kind: LayerExtentKind::Zero,
                len_bytes,
            },
        })
    }
}
