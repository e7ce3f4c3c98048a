//! Which files the changed bytes of a volume belong to.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashSet};
use std::ops::Range;

use block_io::ByteRanges;
use guest_files::{
    Coding, FileError, FileExtent, FileName, GuestFile, GuestFileSystem, NodeId, NodeKind,
};

use crate::{Walk, WalkItem};

/// Most extents that are asked for at once.
const EXTENTS_MAX: usize = 32 << 10;
/// Most times that one file is asked: what lies in more than 2^25 pieces counts as no file's.
const PAGES_MAX: usize = 1 << 10;
/// Most pieces of what was given away that are remembered; a byte in another may be given away twice.
const CLAIMED_MAX: usize = 1 << 20;

/// A file with what of it changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChurnedFile {
    /// How many bytes changed in its content, in whole chunks of the repository; its named streams are
    /// not in it.
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
    /// Returns how many bytes changed in no file: the file system's own, and what is free. Named streams
    /// are in it too, what was allocated and never written, and what lies in files that cannot be read
    /// ([`VolumeChurn::unreadable`]) or in more pieces than are asked for.
    pub fn other_bytes(&self) -> u64 {
        let files = self.files.iter().map(|file| file.changed_bytes);
        self.changed_bytes
            .saturating_sub(files.fold(0, u64::saturating_add))
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
        let mut changed_bytes = 0_u64;
        let claimed = system.open(node.id, None).and_then(|file| {
            each_extent(&*file, &mut |extent| {
                let end = extent.volume_offset.saturating_add(extent.len_bytes);
                let bytes = claims.claim(extent.volume_offset..end);
                changed_bytes = changed_bytes.saturating_add(bytes);
                !cancelled()
            })
        });
        if claimed.is_err() {
            churn.unreadable += 1;
        }
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
            churn.more_bytes = churn.more_bytes.saturating_add(smallest.changed_bytes);
        }
    }
    let mut files: Vec<ChurnedFile> = largest.into_iter().map(|Reverse(file)| file).collect();
    files.sort_by(|one, other| {
        (other.changed_bytes, &one.path).cmp(&(one.changed_bytes, &other.path))
    });
    churn.files = files;
    Ok(churn)
}

/// Goes through the places of a file as long as `visit` says so.
fn each_extent(
    file: &dyn GuestFile,
    visit: &mut dyn FnMut(&FileExtent) -> bool,
) -> Result<(), FileError> {
    let mut from = 0_u64;
    for _ in 0..PAGES_MAX {
        let places = file.extents_from(from, EXTENTS_MAX)?;
        let goes_on = places.iter().all(&mut *visit);
        let last = places.last().filter(|_| places.len() >= EXTENTS_MAX);
        let Some(last) = last.filter(|_| goes_on) else {
            return Ok(());
        };
        let len_bytes = match last.coding {
            Coding::Plain => last.len_bytes.max(1),
            Coding::Packed { .. } | Coding::Opaque => 1,
        };
        from = last
            .file_offset
            .saturating_add(len_bytes)
            .max(from.saturating_add(1));
    }
    Ok(())
}

/// Changed bytes, each given away once.
struct Claims<'a> {
    changed: &'a ByteRanges,
    /// Where each range that was given away begins and ends; they neither touch nor overlap.
    claimed: BTreeMap<u64, u64>,
}

impl<'a> Claims<'a> {
    fn new(changed: &'a ByteRanges) -> Self {
        Self {
            changed,
            claimed: BTreeMap::new(),
        }
    }

    /// Takes what of a range changed and was not taken yet; returns how many bytes that is.
    fn claim(&mut self, range: Range<u64>) -> u64 {
        let mut bytes = 0_u64;
        for part in self.changed.within(range) {
            let before = self.claimed.range(..=part.end).rev();
            let touching: Vec<(u64, u64)> = before
                .map(|(start, end)| (*start, *end))
                .take_while(|(_, end)| *end >= part.start)
                .collect();
            let mut joined = part.clone();
            let mut taken = 0_u64;
            for (start, end) in touching {
                let both = start.max(part.start)..end.min(part.end);
                taken = taken.saturating_add(both.end.saturating_sub(both.start));
                joined = joined.start.min(start)..joined.end.max(end);
                self.claimed.remove(&start);
            }
            if self.claimed.len() < CLAIMED_MAX {
                self.claimed.insert(joined.start, joined.end);
            }
            bytes = bytes.saturating_add((part.end - part.start).saturating_sub(taken));
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

    /// A file in many pieces, each with a hole behind it.
    struct Pieces(usize);

    impl GuestFile for Pieces {
        fn size_bytes(&self) -> u64 {
            u64::MAX
        }

        fn read_at(&self, _: u64, _: &mut [u8]) -> Result<usize, FileError> {
            Ok(0)
        }

        fn extents(&self, max: usize) -> Result<Vec<FileExtent>, FileError> {
            let places = (0_u64..).take(self.0.min(max)).map(|number| FileExtent {
                file_offset: number * 10,
                volume_offset: number * 20,
                len_bytes: 4,
                coding: match number % 2 {
                    0 => Coding::Plain,
                    _ => Coding::Packed {
                        file_bytes: 10,
                        skip_bytes: 0,
                    },
                },
            });
            Ok(places.collect())
        }
    }

    #[test]
    fn a_file_in_however_many_pieces_is_asked_for_all_of_them() {
        for count in [0, 1, EXTENTS_MAX, 3 * EXTENTS_MAX + 7] {
            let mut next = 0;
            let visited = each_extent(&Pieces(count), &mut |place| {
                assert_eq!(place.volume_offset, next * 20);
                next += 1;
                true
            });
            visited.unwrap();
            assert_eq!(next, count as u64);
        }
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
