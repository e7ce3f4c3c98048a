//! Who owns which MiB of a file.

use crate::field::{MIB, index};

/// One bit for each MiB of a file. Every object lies on whole MiB, so this finds every overlap.
pub(crate) struct Claims {
    bits: Vec<u64>,
    units: u64,
    end_bytes: u64,
}

impl Claims {
    /// Makes the map of a file of `size_bytes`, nothing claimed. A file is at most 2^47 bytes long.
    pub(crate) fn new(size_bytes: u64) -> Self {
        let units = size_bytes.div_ceil(MIB);
        Self {
            bits: vec![0; index(units.div_ceil(64))],
            units,
            end_bytes: 0,
        }
    }

    /// Claims a range, of which only the part inside the file counts. `false`: somebody has it.
    pub(crate) fn claim(&mut self, offset: u64, len_bytes: u64) -> bool {
        let end = offset.saturating_add(len_bytes);
        if len_bytes > 0 {
            self.end_bytes = self.end_bytes.max(end);
        }
        let mut free = true;
        for unit in offset / MIB..end.div_ceil(MIB).min(self.units) {
            if let Some(word) = self.bits.get_mut(index(unit / 64)) {
                let bit = 1 << (unit % 64);
                free &= *word & bit == 0;
                *word |= bit;
            }
        }
        free
    }

    /// Returns the end of what lies last, in bytes; it may lie behind the end of the file.
    pub(crate) fn end_bytes(&self) -> u64 {
        self.end_bytes
    }

    /// Returns the number of whole MiB that nobody claimed.
    pub(crate) fn free_mib(&self) -> u64 {
        let claimed: u64 = self
            .bits
            .iter()
            .map(|word| u64::from(word.count_ones()))
            .sum();
        self.units - claimed
    }
}
