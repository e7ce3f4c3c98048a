//! What of a volume differs, and where it lies.

use block_io::{ByteRanges, ExtentKind};
use guest_files::{FileError, FileErrorKind};
use guest_reader::Guest;

use super::places::{PlaceLog, Places};

/// Most calls for the extents of one volume: stripes of 64 KiB over 64 TiB. What answers with shorter
/// ones makes no sense.
const CALLS_MAX: usize = 1 << 14;

/// What of a volume differs, and where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeLayout {
    /// Its size in bytes.
    pub size_bytes: u64,
    /// What its disks say differs, as ranges of the volume.
    pub changed: ByteRanges,
    /// Where on the disks it lies; `None` where they do not see all of that.
    pub places: Option<Places>,
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
    pub(super) fn of(guest: &dyn Guest, number: u32, log: &PlaceLog) -> Result<Self, FileError> {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        let size_bytes = guest
            .facts()
            .volumes
            .get(at)
            .map_or(0, |facts| facts.size_bytes);
        log.begin();
        let changed = changed(guest, number);
        let places = log.end();
        Ok(Self {
            size_bytes,
            changed: changed?,
            places: places.cover(size_bytes).then_some(places),
            is_known: false,
        })
    }

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

fn changed(guest: &dyn Guest, number: u32) -> Result<ByteRanges, FileError> {
    let mut changed = ByteRanges::new();
    let mut at = 0_u64;
    for _ in 0..CALLS_MAX {
        let extents = guest.volume_extents(number, at, usize::MAX)?;
        if extents.is_empty() {
            return Ok(changed);
        }
        for extent in extents {
            if extent.kind == ExtentKind::Data {
                changed.insert(at, extent.len_bytes);
            }
            at = at.saturating_add(extent.len_bytes);
        }
    }
    let what = "the volume is described in parts that are too small to be true";
    Err(FileError::new(FileErrorKind::Corrupt, what))
}
