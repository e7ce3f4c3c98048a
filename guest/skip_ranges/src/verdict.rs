//! What was found in one volume.

use std::ops::Range;

use volume_map::Role;

use crate::found_ranges::FoundRanges;
use crate::refusal::Refusal;
use crate::request::SkipReason;

/// What was found in one volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeVerdict {
    /// Where in the disk it begins, in bytes.
    pub offset: u64,
    /// How long it is, in bytes.
    pub len_bytes: u64,
    /// What the partition table says that it is for.
    pub role: Role,
    /// What it is, in people's words, such as `NTFS`.
    pub file_system: &'static str,
    /// What may be left out: reason, and bytes of it.
    pub skippable: Vec<(SkipReason, u64)>,
    /// Why something that was asked for is not left out, or cannot be told.
    pub refusals: Vec<Refusal>,
}

/// What a file system's reader finds.
#[derive(Default)]
pub(crate) struct Finding {
    pub(crate) parts: Vec<(SkipReason, FoundRanges)>,
    pub(crate) refusals: Vec<Refusal>,
}

impl Finding {
    pub(crate) fn add(&mut self, reason: SkipReason, ranges: FoundRanges) {
        self.parts.push((reason, ranges));
    }

    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        self.refusals.push(refusal);
    }

    /// Takes out what is never left out, wherever the file system says that it lies.
    pub(crate) fn protect(&mut self, ranges: &[Range<u64>]) {
        for (_, found) in &mut self.parts {
            for range in ranges {
                found.remove(range);
            }
        }
    }
}
