//! Where the bytes of a volume lie.

use std::sync::{Mutex, PoisonError};

/// Most places that are kept of one volume: 24 MiB of them.
const PLACES_MAX: usize = 1 << 20;

/// A range of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Which of the disks, from 0.
    pub disk: u32,
    /// Where on it, in bytes.
    pub offset: u64,
    /// How many bytes.
    pub len_bytes: u64,
}

/// The places of a volume in its own order, neighbors on a disk joined.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    places: Vec<Place>,
    is_too_long: bool,
}

impl Places {
    /// Returns the places.
    pub fn iter(&self) -> impl Iterator<Item = Place> + '_ {
        self.places.iter().copied()
    }

    /// Returns these places, and then others.
    pub(super) fn and(mut self, other: &Self) -> Self {
        for place in other.iter() {
            self.add(place);
        }
        self.is_too_long |= other.is_too_long;
        self
    }

    fn add(&mut self, place: Place) {
        if let Some(last) = self.places.last_mut()
            && last.disk == place.disk
            && last.offset.checked_add(last.len_bytes) == Some(place.offset)
        {
            last.len_bytes = last.len_bytes.saturating_add(place.len_bytes);
        } else if self.places.len() < PLACES_MAX {
            self.places.push(place);
        } else {
            self.is_too_long = true;
        }
    }

    /// Returns whether these are all places of a volume of this size.
    pub(super) fn cover(&self, size_bytes: u64) -> bool {
        let sum = self
            .places
            .iter()
            .try_fold(0_u64, |sum, place| sum.checked_add(place.len_bytes));
        !self.is_too_long && sum == Some(size_bytes)
    }
}

/// What the disks of a guest are asked for, while somebody listens.
#[derive(Default)]
pub(super) struct PlaceLog {
    listening: Mutex<Option<Places>>,
}

impl PlaceLog {
    pub(super) fn begin(&self) {
        *self.lock() = Some(Places::default());
    }

    pub(super) fn end(&self) -> Places {
        self.lock().take().unwrap_or_default()
    }

    pub(super) fn add(&self, place: Place) {
        if let Some(places) = &mut *self.lock() {
            places.add(place);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Places>> {
        self.listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
