//! What of a volume differs, and where it lies.

use block_io::{ByteRanges, Place};
use guest_files::{FileError, FileErrorKind};
use guest_reader::{Guest, VolumeFacts};

use super::{DiskChange, DiskChanges};

/// Most places that are kept of one volume: 24 MiB of them.
const PLACES_MAX: usize = 1 << 20;
/// Most calls for the places of one volume, four times what so many take. Who answers with parts of
/// parts makes no sense.
const CALLS_MAX: usize = 64;

/// What of a volume differs, and where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeLayout {
    /// Its size in bytes.
    pub size_bytes: u64,
    /// What its disks say differs, as ranges of the volume. What does not lie on them as it is counts
    /// as differing.
    pub changed: ByteRanges,
    /// Where on the disks it lies, in its own order, neighbors joined; `None` where that is not known of
    /// all of it.
    pub places: Option<Vec<Place>>,
    /// Whether `changed` is known; otherwise it is all that may be.
    pub is_known: bool,
}

/// What of a volume differs from the same volume of another point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeChanges {
    /// These ranges; all else is the same byte for byte.
    Ranges(ByteRanges),
    /// Nobody can tell: it is encrypted, lies elsewhere on the disks, or has another size.
    Unknown,
}

impl VolumeLayout {
    /// Compares with the layout of the same volume of the point that these disks were compared with.
    pub fn changes_since(&self, old: &Self) -> VolumeChanges {
        match self.why_unknown(old) {
            None => VolumeChanges::Ranges(self.changed.clone()),
            Some(_) => VolumeChanges::Unknown,
        }
    }

    /// Says why nobody can tell what changed since that point; `None` where it is known.
    pub fn why_unknown(&self, old: &Self) -> Option<&'static str> {
        match (&self.places, &old.places) {
            (Some(own), Some(other)) if own != other => {
                Some("it lies elsewhere on the disks than before, or has another size")
            }
            (Some(_), Some(_)) if self.is_known => None,
            (Some(_), Some(_)) => Some(
                "it is not known what changed of its disks, or its file system lies on other volumes too",
            ),
            _ => Some(
                "its disks do not show where it lies; it is encrypted, or not all of it is there",
            ),
        }
    }
}

impl VolumeChanges {
    /// Returns whether the volume is known to be the same byte for byte.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Ranges(ranges) if ranges.is_empty())
    }
}

impl DiskChanges {
    /// Says what of one volume differs, whatever else its file system lies on.
    pub(super) fn layout_of_one(
        &self,
        guest: &dyn Guest,
        volume: u32,
    ) -> Result<VolumeLayout, FileError> {
        let facts = usize::try_from(volume).ok();
        let facts = facts.and_then(|at| guest.facts().volumes.get(at));
        let Some(&VolumeFacts { size_bytes, .. }) = facts else {
            let what = format!("there is no volume {volume}");
            return Err(FileError::new(FileErrorKind::NotFound, what));
        };
        let (places, end) = places(guest, volume, size_bytes)?;
        let mut changed = ByteRanges::new();
        let mut is_known = true;
        let mut at = 0;
        for place in &places {
            match self.disk(place) {
                Some(disk) => {
                    is_known &= disk.is_known;
                    let place_end = place.offset.saturating_add(place.len_bytes);
                    for range in disk.changed.within(place.offset..place_end) {
                        changed.insert(at + (range.start - place.offset), range.end - range.start);
                    }
                }
                None => is_known = false,
            }
            at += place.len_bytes;
        }
        let is_whole = end == size_bytes;
        changed.insert(end, size_bytes.saturating_sub(end));
        Ok(VolumeLayout {
            size_bytes,
            changed,
            is_known: is_known && is_whole,
            places: is_whole.then_some(places),
        })
    }

    fn disk(&self, place: &Place) -> Option<&DiskChange> {
        self.disks.get(usize::try_from(place.disk).ok()?)
    }
}

/// Gathers the places of a volume, and how far they go.
fn places(guest: &dyn Guest, volume: u32, size_bytes: u64) -> Result<(Vec<Place>, u64), FileError> {
    let mut places: Vec<Place> = Vec::new();
    let mut end = 0;
    for _ in 0..CALLS_MAX {
        let more = guest.volume_places(volume, end, PLACES_MAX)?;
        if more.is_empty() || end == size_bytes {
            break;
        }
        for place in more {
            let follows = |last: &Place| {
                let last_end = last.offset.checked_add(last.len_bytes);
                last.disk == place.disk && last_end == Some(place.offset)
            };
            let len_bytes = place.len_bytes.min(size_bytes - end);
            let is_full = places.len() == PLACES_MAX;
            match places.last_mut().filter(|last| follows(last)) {
                Some(last) => last.len_bytes += len_bytes,
                None if is_full => return Ok((places, end)),
                None => places.push(Place { len_bytes, ..place }),
            }
            end += len_bytes;
        }
    }
    Ok((places, end))
}
