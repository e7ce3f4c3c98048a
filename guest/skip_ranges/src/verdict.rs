//! What was found in one volume.

use std::ops::Range;

use volume_map::{Content, Role};

use crate::found_ranges::FoundRanges;
use crate::refusal::{Refusal, RefusalKind};
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
    /// The volume was not at rest by itself: that anything may be left out rests upon
    /// [`crate::SkipRequest::flushed`].
    pub relied_on_flush: bool,
}

impl VolumeVerdict {
    /// Says whether something that was asked for is kept though one would expect otherwise. Of a
    /// FAT volume, a reserved partition or one that holds nothing known nobody does.
    pub fn is_kept_unexpectedly(&self) -> bool {
        let plain = self.role != Role::Data
            || self.file_system.contains("FAT")
            || self.file_system == Content::Unknown.name();
        let mut kinds = self.refusals.iter().map(|refusal| refusal.kind);
        kinds.any(|kind| !plain || kind != RefusalKind::NotUnderstood)
    }
}

/// What a file system's reader finds.
#[derive(Default)]
pub(crate) struct Finding {
    pub(crate) parts: Vec<(SkipReason, FoundRanges)>,
    pub(crate) refusals: Vec<Refusal>,
    pub(crate) relied_on_flush: bool,
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
