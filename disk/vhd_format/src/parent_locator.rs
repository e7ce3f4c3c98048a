//! Where a differencing VHD says that its parent is.

use block_io::{DiskError, ImageFile};

use crate::field::{u32_at, u64_at};

/// The longest locator that is read, in bytes: Windows' longest path is 32 767 characters.
const MAX_LOCATOR_BYTES: u32 = 65_536;

/// What sort of path a locator holds. All of them are claims of the file, not paths of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LocatorKind {
    /// `W2ru`: a Windows path relative to the child's folder.
    Relative,
    /// `W2ku`: an absolute Windows path.
    Absolute,
    /// `MacX`: a file URL.
    Url,
    /// A deprecated or unknown code.
    Other([u8; 4]),
}

/// One of the eight places where the parent may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParentLocator {
    /// What sort of path it is.
    pub kind: LocatorKind,
    /// The path as the file has it, without a trailing NUL.
    pub path: String,
}

/// A locator's entry in the dynamic header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LocatorEntry {
    pub(crate) code: [u8; 4],
    /// Bytes in files by Windows, sectors in the paper: written, never relied upon.
    pub(crate) space: u32,
    pub(crate) len_bytes: u32,
    pub(crate) offset: u64,
}

impl LocatorEntry {
    pub(crate) const BYTES: usize = 24;

    pub(crate) fn parse(entry: &[u8; Self::BYTES]) -> Self {
        Self {
            code: u32_at(entry, 0).to_be_bytes(),
            space: u32_at(entry, 4),
            len_bytes: u32_at(entry, 8),
            offset: u64_at(entry, 16),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.code == [0; 4] || self.len_bytes == 0
    }

    pub(crate) fn kind(&self) -> LocatorKind {
        match &self.code {
            b"W2ru" => LocatorKind::Relative,
            b"W2ku" => LocatorKind::Absolute,
            b"MacX" => LocatorKind::Url,
            _ => LocatorKind::Other(self.code),
        }
    }

    /// Reads the path that the entry points to.
    pub(crate) fn read(&self, file: &dyn ImageFile) -> Result<ParentLocator, DiskError> {
        let name = file.name();
        if self.len_bytes > MAX_LOCATOR_BYTES {
            return Err(DiskError::corrupt(
                name,
                self.offset,
                format!(
                    "a parent locator of {} bytes, expected at most {MAX_LOCATOR_BYTES}",
                    self.len_bytes
                ),
            ));
        }
        // At most 64 KiB, see above.
        let mut bytes = vec![0; usize::try_from(self.len_bytes).unwrap_or(0)];
        file.read_exact_at(self.offset, &mut bytes)
            .map_err(|error| {
                DiskError::io(name, "cannot read a parent locator", error).at(self.offset)
            })?;
        let path = match self.kind() {
            LocatorKind::Relative | LocatorKind::Absolute => {
                let units: Vec<u16> = bytes
                    .chunks_exact(2)
                    .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
                    .collect();
                String::from_utf16_lossy(&units)
            }
            LocatorKind::Url | LocatorKind::Other(_) => {
                String::from_utf8_lossy(&bytes).into_owned()
            }
        };
        Ok(ParentLocator {
            kind: self.kind(),
            path: path.trim_end_matches('\0').to_owned(),
        })
    }
}
