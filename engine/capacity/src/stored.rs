//! What one point stored.

use jiff::Timestamp;

/// What one point read and stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Identity of the VM.
    pub vm: String,
    /// When.
    pub time: Timestamp,
    /// Whether it was compared with no earlier point.
    pub first: bool,
    /// Bytes that were read of the source.
    pub read_bytes: u64,
    /// Bytes that the repository grew by.
    pub stored_bytes: u64,
}

/// Returns the middle one; of an even number, the lower of the two in the middle.
pub(crate) fn median<T: PartialOrd + Copy>(mut values: Vec<T>) -> Option<T> {
    values.sort_by(|one, other| one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal));
    let middle = values.len().checked_sub(1)? / 2;
    values.get(middle).copied()
}
