//! What differs between the disks of two restore points, and what that is of their volumes.
//!
//! ```text
//!   two points ── changed_ranges (maps are compared, equal parts are not entered) ──► ByteRanges a disk
//!                                                                                          │
//!   Guest::volume_places: where on the disks a volume lies ────────────────────► VolumeLayout: what of
//!                                                                                a volume differs
//! ```
//!
//! # Where a volume's bytes lie
//!
//! A changed range of a volume means "differs at the same place" only while the volume lies where it
//! lay: a logical volume that was moved, or a partition that was, is not mistaken for one that is the
//! same. Where not all places are known (an encrypted volume lies nowhere as it is), nothing is known of
//! its changes ([`VolumeChanges::Unknown`]).

mod layout;
mod ranges;

use std::sync::Arc;

use block_io::{BlockDevice, ByteRanges};
use guest_files::FileError;
use guest_reader::{DisksFacts, Guest};
use volume_map::Content;

pub use layout::{VolumeChanges, VolumeLayout};
pub use ranges::changed_ranges;

/// What of each of a point's disks differs from another point.
pub struct DiskChanges {
    disks: Vec<DiskChange>,
}

struct DiskChange {
    changed: ByteRanges,
    /// Otherwise all of it counts as changed.
    is_known: bool,
}

impl DiskChanges {
    /// Takes what of each disk differs; `None`, and for all disks behind the list, where that is not
    /// known: then all of it may.
    pub fn new(disks: &[Arc<dyn BlockDevice>], changed: &[Option<ByteRanges>]) -> Self {
        let changed = changed
            .iter()
            .map(Option::as_ref)
            .chain(std::iter::repeat(None));
        let disks = disks.iter().zip(changed).map(|(disk, changed)| {
            let everything = || ByteRanges::from_iter(std::iter::once(0..disk.size_bytes()));
            DiskChange {
                is_known: changed.is_some(),
                changed: changed.cloned().unwrap_or_else(everything),
            }
        });
        Self {
            disks: disks.collect(),
        }
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
    /// Those of [`Guest::volume_places`].
    pub fn layout(&self, guest: &dyn Guest, volume: u32) -> Result<VolumeLayout, FileError> {
        let mut layout = self.layout_of_one(guest, volume)?;
        for partner in partners(guest.facts(), volume) {
            let other = self.layout_of_one(guest, partner)?;
            layout.is_known &=
                other.is_known && layout.changed.is_empty() && other.changed.is_empty();
            layout.places = layout
                .places
                .zip(other.places)
                .map(|(own, other)| [own, other].concat());
        }
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

#[cfg(test)]
mod tests;
