//! Where a frame lies.

use crate::format::PackId;

/// Where a frame lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Locator {
    pub(crate) pack: PackId,
    /// Offset in the pack in bytes.
    pub(crate) offset: u32,
    /// Stored length in bytes, with the tag.
    pub(crate) stored_bytes: u32,
}
