//! Disks that know what differs from another restore point's.
//!
//! ```text
//!   two points ── changed_ranges (maps are compared, equal parts are not entered) ──► ByteRanges a disk
//!                     │
//!   ChangedDisk: its bytes are the real ones, its extents say Data for what differs, Zero for the rest
//!                     │  partitions, LVM, md and dynamic disks pass extents through
//!   Guest::volume_extents ──► VolumeLayout: what of a volume differs, and where its bytes lie
//! ```
//!
//! Whatever lies between disks and volumes maps changes as it maps bytes, and none of it knows that it
//! does. This is safe because no reader of a volume or file system decides by `extent_at` what it
//! reads: they all ask `read_at`, which is the real disk's. What copies disks by their extents is not
//! to be given one.
//!
//! # Where a volume's bytes lie
//!
//! A changed range of a volume means "differs at the same place" only while the volume lies where it
//! lay. A disk is asked for the extents of all of a volume, so it sees where that is and writes it
//! down ([`Places`]): a logical volume that was moved, or a partition that was, is not mistaken for
//! one that is the same. Where not all places are seen (an encrypted volume, which says Data for all
//! of it and asks nobody), nothing is known of its changes ([`VolumeChanges::Unknown`]).

mod layout;
mod places;
mod ranges;

use std::sync::Arc;

use block_io::{BlockDevice, ByteRanges, DiskError, Extent, ExtentKind, check_range};
use guest_files::FileError;
use guest_reader::{DisksFacts, Guest};
use volume_map::Content;

pub use layout::{VolumeChanges, VolumeLayout};
use places::PlaceLog;
pub use places::{Place, Places};
pub use ranges::changed_ranges;

/// A disk whose bytes are the real ones, and whose extents say what differs.
struct ChangedDisk {
    disk: Arc<dyn BlockDevice>,
    number: u32,
    changed: ByteRanges,
    /// Otherwise all of it counts as changed.
    is_known: bool,
    log: Arc<PlaceLog>,
}

/// All disks of a point, with what of each differs from another point.
pub struct ChangedDisks {
    disks: Vec<Arc<ChangedDisk>>,
    log: Arc<PlaceLog>,
}

impl ChangedDisks {
    /// Takes disks with what of each differs; `None`, and for all disks behind the list, where that is
    /// not known: then all of it may.
    pub fn new(disks: Vec<Arc<dyn BlockDevice>>, changed: &[Option<ByteRanges>]) -> Self {
        let log = Arc::new(PlaceLog::default());
        let changed = changed
            .iter()
            .map(Option::as_ref)
            .chain(std::iter::repeat(None));
        let disks = (0..)
            .zip(disks)
            .zip(changed)
            .map(|((number, disk), changed)| {
                let everything = || ByteRanges::from_iter(std::iter::once(0..disk.size_bytes()));
                Arc::new(ChangedDisk {
                    number,
                    is_known: changed.is_some(),
                    changed: changed.cloned().unwrap_or_else(everything),
                    disk,
                    log: Arc::clone(&log),
                })
            });
        Self {
            disks: disks.collect(),
            log,
        }
    }

    /// Returns the disks, to open a guest over.
    pub fn disks(&self) -> Vec<Arc<dyn BlockDevice>> {
        let disks = self.disks.iter();
        disks
            .map(|disk| Arc::clone(disk) as Arc<dyn BlockDevice>)
            .collect()
    }

    /// Returns what of each disk differs.
    pub fn changed(&self) -> impl Iterator<Item = &ByteRanges> {
        self.disks.iter().map(|disk| &disk.changed)
    }

    /// Says what of a volume differs, and where it lies. `guest` is open over these disks.
    ///
    /// A file system that lies on several volumes (Btrfs) is known to be the same as long as all of
    /// them are; once one of them changed, nothing is known of the file system.
    ///
    /// # Errors
    ///
    /// Those of [`Guest::volume_extents`].
    pub fn layout(&self, guest: &dyn Guest, volume: u32) -> Result<VolumeLayout, FileError> {
        let mut layout = self.layout_of_one(guest, volume)?;
        for partner in partners(guest.facts(), volume) {
            let other = self.layout_of_one(guest, partner)?;
            layout.is_known &=
                other.is_known && layout.changed.is_empty() && other.changed.is_empty();
            layout.places = layout
                .places
                .zip(other.places)
                .map(|(own, other)| own.and(&other));
        }
        Ok(layout)
    }

    fn layout_of_one(&self, guest: &dyn Guest, volume: u32) -> Result<VolumeLayout, FileError> {
        let mut layout = VolumeLayout::of(guest, volume, &self.log)?;
        layout.is_known = layout.places.as_ref().is_some_and(|places| {
            let mut disks = places
                .iter()
                .filter_map(|place| usize::try_from(place.disk).ok());
            disks.all(|disk| self.disks.get(disk).is_some_and(|disk| disk.is_known))
        });
        Ok(layout)
    }
}

/// Returns the other volumes that a volume's file system lies on as well.
fn partners(facts: &DisksFacts, volume: u32) -> Vec<u32> {
    let own = usize::try_from(volume)
        .ok()
        .and_then(|at| facts.volumes.get(at));
    let Some(own) = own.filter(|own| own.content == Content::Btrfs && !own.uuid.is_empty()) else {
        return Vec::new();
    };
    let others = (0..).zip(&facts.volumes).filter(|(number, other)| {
        *number != volume && other.content == Content::Btrfs && other.uuid == own.uuid
    });
    others.map(|(number, _)| number).collect()
}

impl BlockDevice for ChangedDisk {
    fn size_bytes(&self) -> u64 {
        self.disk.size_bytes()
    }

    fn sector_bytes(&self) -> u32 {
        self.disk.sector_bytes()
    }

    fn physical_sector_bytes(&self) -> u32 {
        self.disk.physical_sector_bytes()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        self.disk.read_at(offset, buf)
    }

    fn extent_at(&self, offset: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        check_range(self.size_bytes(), offset, max_bytes.max(1))?;
        let end = offset + max_bytes.max(1);
        let next = self.changed.within(offset..end).next();
        let (kind, end) = match next {
            Some(changed) if changed.start == offset => (ExtentKind::Data, changed.end),
            Some(changed) => (ExtentKind::Zero, changed.start),
            None => (ExtentKind::Zero, end),
        };
        let len_bytes = end - offset;
        self.log.add(Place {
            disk: self.number,
            offset,
            len_bytes,
        });
        Ok(Extent { kind, len_bytes })
    }
}

#[cfg(test)]
mod tests;
