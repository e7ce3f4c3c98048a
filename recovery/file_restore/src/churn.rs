//! Which files the changed bytes of a volume belong to.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::ops::Range;

use block_io::ByteRanges;
use guest_files::{FileError, FileName, GuestFileSystem, NodeId, NodeKind};

use crate::{Walk, WalkItem};

/// Most extents of one file that are asked for; what lies in the others counts as no file's.
const EXTENTS_MAX: usize = 32 << 10;

/// A file with what of it changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChurnedFile {
    /// How many bytes changed, in whole chunks of the repository.
    pub changed_bytes: u64,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// The names from the volume's top folder on.
    pub path: Vec<FileName>,
}

/// What changed of a volume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VolumeChurn {
    /// How many bytes of the volume changed.
    pub changed_bytes: u64,
    /// The files with the most, the first first.
    pub files: Vec<ChurnedFile>,
    /// How many more files changed.
    pub more_files: u64,
    /// How many bytes changed in these.
    pub more_bytes: u64,
    /// How many files and folders could not be read; what changed in them counts as no file's.
    pub unreadable: u64,
}

impl VolumeChurn {
    /// Returns how many bytes changed in no file: the file system's own, and what is free.
    pub fn other_bytes(&self) -> u64 {
        let files: u64 = self.files.iter().map(|file| file.changed_bytes).sum();
        self.changed_bytes
            .saturating_sub(files)
            .saturating_sub(self.more_bytes)
    }
}

/// Maps what changed of a volume to its files, by one walk; `top` of them are kept by name. Nothing
/// is read but what the file system says of its files.
///
/// A byte counts once: for the first of several files that share it. Named streams count as no file's.
///
/// # Errors
///
/// What is wrong with the top folder; files that cannot be read are counted.
pub fn volume_churn(
    system: &dyn GuestFileSystem,
    changed: &ByteRanges,
    top: usize,
    cancelled: &dyn Fn() -> bool,
) -> Result<VolumeChurn, FileError> {
    let mut churn = VolumeChurn {
        changed_bytes: changed.total_bytes(),
        ..VolumeChurn::default()
    };
    if changed.is_empty() {
        return Ok(churn);
    }
    let mut claims = Claims::new(changed);
    let mut largest: BinaryHeap<Reverse<ChurnedFile>> = BinaryHeap::new();
    // Files that have several names.
    let mut seen: HashSet<NodeId> = HashSet::new();
    for item in Walk::new(system, &system.node(system.root())?) {
        if cancelled() {
            break;
        }
        let entry = match item {
            WalkItem::Entry(entry) => entry,
            WalkItem::Failed { .. } => {
                churn.unreadable += 1;
                continue;
            }
        };
        let node = &entry.node;
        if node.kind != NodeKind::File || node.size_bytes == 0 {
            continue;
        }
        if node.links > 1 && !seen.insert(node.id) {
            continue;
        }
        let extents = system
            .open(node.id, None)
            .and_then(|file| file.extents(EXTENTS_MAX));
        let Ok(extents) = extents else {
            churn.unreadable += 1;
            continue;
        };
        let ranges = extents.iter().map(|extent| {
            extent.volume_offset..extent.volume_offset.saturating_add(extent.len_bytes)
        });
        let changed_bytes = ranges.map(|range| claims.claim(range)).sum();
        if changed_bytes == 0 {
            continue;
        }
        largest.push(Reverse(ChurnedFile {
            changed_bytes,
            size_bytes: node.size_bytes,
            path: entry.path,
        }));
        if largest.len() > top
            && let Some(Reverse(smallest)) = largest.pop()
        {
            churn.more_files += 1;
            churn.more_bytes += smallest.changed_bytes;
        }
    }
    let mut files: Vec<ChurnedFile> = largest.into_iter().map(|Reverse(file)| file).collect();
    files.sort_by(|one, other| {
        (other.changed_bytes, &one.path).cmp(&(one.changed_bytes, &other.path))
    });
    churn.files = files;
    Ok(churn)
}

/// Changed bytes, each given away once.
struct Claims<'a> {
    changed: &'a ByteRanges,
    claimed: ByteRanges,
}

impl<'a> Claims<'a> {
    fn new(changed: &'a ByteRanges) -> Self {
        Self {
            changed,
            claimed: ByteRanges::new(),
        }
    }

    /// Takes what of a range changed and was not taken yet; returns how many bytes that is.
    fn claim(&mut self, range: Range<u64>) -> u64 {
        let mut bytes = 0;
        for part in self.changed.within(range) {
            let taken: u64 = self
                .claimed
                .within(part.clone())
                .map(|it| it.end - it.start)
                .sum();
            bytes += part.end - part.start - taken;
            self.claimed.insert(part.start, part.end - part.start);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn parts() -> impl Strategy<Value = Vec<(u64, u64)>> {
        prop::collection::vec((0_u64..200, 0_u64..40), 0..12)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_changed_byte_is_given_away_once(changed in parts(), asked in parts()) {
            let ranges: ByteRanges = changed.iter().map(|(at, len)| *at..at + len).collect();
            let mut left: BTreeSet<u64> = changed.iter().flat_map(|(at, len)| *at..at + len).collect();
            let mut claims = Claims::new(&ranges);
            for (at, len) in asked {
                let before = left.len();
                left.retain(|byte| !(at..at + len).contains(byte));
                prop_assert_eq!(claims.claim(at..at + len), (before - left.len()) as u64);
            }
        }
    }
}
