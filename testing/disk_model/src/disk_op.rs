//! Random operations on a disk.

use proptest::prelude::*;

use crate::index;

/// One operation on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskOp {
    /// Write `len_bytes` of [`pattern`] of this seed.
    Write {
        /// Where, in bytes.
        offset: u64,
        /// How much, in bytes, at least one unit.
        len_bytes: u64,
        /// What.
        seed: u8,
    },
    /// Write zeros.
    Zero {
        /// Where, in bytes.
        offset: u64,
        /// How much, in bytes, at least one unit.
        len_bytes: u64,
    },
    /// Flush.
    Flush,
}

impl DiskOp {
    /// Returns the offset and the data of a write of data or zeros.
    pub fn data(&self) -> Option<(u64, Vec<u8>)> {
        match *self {
            Self::Write {
                offset,
                len_bytes,
                seed,
            } => Some((offset, pattern(seed, index(len_bytes)))),
            Self::Zero { offset, len_bytes } => Some((offset, vec![0; index(len_bytes)])),
            Self::Flush => None,
        }
    }
}

/// Returns `len` bytes of which none is zero and no two neighboring sectors are alike.
pub fn pattern(seed: u8, len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| {
            let mixed = (at / 512).wrapping_mul(31) ^ at.wrapping_mul(7);
            (mixed.to_le_bytes()[0] ^ seed) | 1
        })
        .collect()
}

/// Returns a strategy for up to `count` operations on a disk of `size_bytes`.
///
/// Every offset and length is a multiple of `unit_bytes`; a write has at most `max_bytes`.
pub fn disk_ops(
    size_bytes: u64,
    unit_bytes: u64,
    max_bytes: u64,
    count: usize,
) -> impl Strategy<Value = Vec<DiskOp>> {
    let units = size_bytes / unit_bytes;
    let max_units = (max_bytes / unit_bytes).max(1);
    let range = (0..units, 1..=max_units).prop_map(move |(first, length)| {
        let length = length.min(units - first);
        (first * unit_bytes, length * unit_bytes)
    });
    let op = prop_oneof![
        6 => (range.clone(), any::<u8>()).prop_map(|((offset, len_bytes), seed)| {
            DiskOp::Write { offset, len_bytes, seed }
        }),
        2 => range.prop_map(|(offset, len_bytes)| DiskOp::Zero { offset, len_bytes }),
        1 => Just(DiskOp::Flush),
    ];
    prop::collection::vec(op, 1..=count)
}
