//! Where bytes of a composed device lie.

/// A range of one of several disks, where bytes of a device that is made of them lie as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Which of the disks, from 0.
    pub disk: u32,
    /// Where on it, in bytes.
    pub offset: u64,
    /// How many bytes.
    pub len_bytes: u64,
}
