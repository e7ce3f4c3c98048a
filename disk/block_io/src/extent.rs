//! What a range of a disk holds.

/// What a range of a whole disk holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExtentKind {
    /// Bytes that must be read to be known.
    Data,
    /// The disk says that these bytes are zero; they need not be read.
    Zero,
    /// Nothing was ever stored here; it reads as zero.
    NotAllocated,
}

/// A range of a disk, from the offset that was asked for, that holds one kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// What the range holds.
    pub kind: ExtentKind,
    /// Length in bytes, at least 1.
    pub len_bytes: u64,
}

/// What a range of one file of a chain holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LayerExtentKind {
    /// Bytes in this file.
    Data,
    /// This file says that the range is zero, whatever the parent holds.
    Zero,
    /// This file says nothing: the parent decides, and without a parent nothing is allocated.
    Parent,
}

/// A range of one layer, from the offset that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerExtent {
    /// What the range holds.
    pub kind: LayerExtentKind,
    /// Length in bytes, at least 1.
    pub len_bytes: u64,
}
