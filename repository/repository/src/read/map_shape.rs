//! How many nodes a disk map has, and what each covers (section 8).

use std::ops::Range;

use crate::format::{ENTRIES_MAX, LEVEL_MAX};
use crate::{RepositoryError, RepositoryErrorKind};

const FANOUT: u64 = ENTRIES_MAX as u64;
const SIZE_BYTES_MAX: u64 = 1 << 56;

/// The shape of a map, which follows from the size of the stream and of a chunk alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MapShape {
    pub(crate) size_bytes: u64,
    pub(crate) chunk_bytes: u64,
}

impl MapShape {
    pub(crate) fn new(size_bytes: u64, chunk_bytes: u32) -> Result<Self, RepositoryError> {
        let shape = Self {
            size_bytes,
            chunk_bytes: u64::from(chunk_bytes),
        };
        if size_bytes > SIZE_BYTES_MAX || shape.try_level().is_none() {
            let what = format!("{size_bytes} bytes are more than a stream may have");
            return Err(RepositoryError::new(RepositoryErrorKind::Unsupported, what));
        }
        Ok(shape)
    }

    /// Returns the number of chunks.
    pub(crate) fn chunks(self) -> u64 {
        self.size_bytes.div_ceil(self.chunk_bytes)
    }

    /// Returns the number of leaves.
    pub(crate) fn leaves(self) -> u64 {
        self.nodes(0)
    }

    /// Returns the number of bytes that a leaf covers.
    pub(crate) fn leaf_span_bytes(self) -> u64 {
        self.chunk_bytes * FANOUT
    }

    /// Returns the number of nodes of a level.
    pub(crate) fn nodes(self, level: u8) -> u64 {
        (0..=level).fold(self.chunks(), |nodes, _| nodes.div_ceil(FANOUT))
    }

    fn try_level(self) -> Option<u8> {
        (0..=LEVEL_MAX).find(|level| self.nodes(*level) <= 1)
    }

    /// Returns the level of the root.
    pub(crate) fn root_level(self) -> u8 {
        self.try_level().unwrap_or(LEVEL_MAX)
    }

    /// Returns the number of entries of node `index` of `level`.
    pub(crate) fn entries(self, level: u8, index: u64) -> usize {
        let children = match level.checked_sub(1) {
            None => self.chunks(),
            Some(below) => self.nodes(below),
        };
        let entries = children
            .saturating_sub(index.saturating_mul(FANOUT))
            .min(FANOUT);
        // At most 256.
        usize::try_from(entries).unwrap_or(0)
    }

    /// Returns what node `index` of `level` covers, in bytes of the stream.
    pub(crate) fn span(self, level: u8, index: u64) -> Range<u64> {
        let len = (0..=level).fold(self.chunk_bytes, |len, _| len.saturating_mul(FANOUT));
        let start = index.saturating_mul(len);
        start.min(self.size_bytes)..start.saturating_add(len).min(self.size_bytes)
    }

    /// Returns the length of a chunk in bytes: the last one may be shorter.
    pub(crate) fn chunk_len(self, chunk: u64) -> usize {
        let start = chunk.saturating_mul(self.chunk_bytes);
        let len = self.size_bytes.saturating_sub(start).min(self.chunk_bytes);
        // At most 4 MiB.
        usize::try_from(len).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::MapShape;

    #[test]
    fn the_shape_follows_from_the_size() {
        let shape = |size| MapShape::new(size, 65536).unwrap();
        let facts = |size| {
            let shape = shape(size);
            let level = shape.root_level();
            (
                shape.chunks(),
                shape.leaves(),
                level,
                shape.entries(level, 0),
            )
        };
        assert_eq!(facts(1), (1, 1, 0, 1));
        assert_eq!(facts(16 << 20), (256, 1, 0, 256));
        assert_eq!(facts((16 << 20) + 1), (257, 2, 1, 2));
        assert_eq!(facts(4 << 30), (65536, 256, 1, 256));
        assert_eq!(facts(64 << 40), (1 << 30, 1 << 22, 3, 64));
        assert_eq!(shape((16 << 20) + 1).entries(0, 1), 1);
        assert_eq!(shape((16 << 20) + 1).chunk_len(256), 1);
        assert_eq!(shape(4 << 30).span(0, 3), 48 << 20..64 << 20);
        assert_eq!(shape(64 << 40).span(1, 1), 4 << 30..8 << 30);
        assert!(MapShape::new(u64::MAX, 65536).is_err());
    }
}
