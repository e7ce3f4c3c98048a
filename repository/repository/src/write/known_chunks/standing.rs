//! What can be relied on where it lies: packs that are there, and what collectors do to them.

use std::collections::HashSet;
use std::sync::PoisonError;

use object_store::StoreErrorKind;

use super::KnownChunks;
use crate::format::{Condemned, Locator, PackId};
use crate::read::{Trail, moved_to};

/// What can be said of a place without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing is known against it. It may lie in a pack that was lost before the run began.
    Good,
    /// Its pack is condemned, and the frame was not moved.
    Condemned,
    /// Its pack was there when the run began, and is not now.
    Gone,
}

/// What collectors mean to delete, deleted and moved.
#[derive(Default)]
pub(super) struct Collected {
    condemned: HashSet<PackId>,
    condemned_forwards: HashSet<String>,
    /// Packs that were there when the run began, or that it wrote.
    gone: HashSet<PackId>,
    /// Packs of which frames were moved.
    moved: HashSet<PackId>,
}

impl KnownChunks {
    /// Says whether something lies there: the pack is in the store, and long enough.
    ///
    /// Whatever an index or a map says, data is left out only where this is so. What is condemned
    /// is not usable; what was moved is.
    pub(crate) fn usable(&self, locator: &Locator) -> bool {
        self.place_of(locator).is_some()
    }

    /// Returns where a frame can be relied on: here, or where it was moved.
    pub(super) fn place_of(&self, locator: &Locator) -> Option<Locator> {
        let mut trail = Trail::new(*locator);
        while let Some(place) = trail.next() {
            let end = u64::from(place.offset) + u64::from(place.stored_bytes);
            let collected = self.read_collected();
            if !collected.condemned.contains(&place.pack) {
                let present = self.present.read().unwrap_or_else(PoisonError::into_inner);
                let there = present.get(&place.pack).is_some_and(|size| end <= *size);
                if there && !self.is_lost(&place) {
                    return Some(place);
                }
            }
            if !collected.moved.contains(&place.pack) {
                continue;
            }
            drop(collected);
            // Where this cannot be read the frame counts as lost, and is stored again.
            let Ok(table) = self.shared.forward_table(place.pack, false) else {
                continue;
            };
            for (name, forwards) in &table.objects {
                if !self.read_collected().condemned_forwards.contains(name)
                    && let Some(next) = moved_to(forwards, place.offset)
                {
                    trail.add(next);
                }
            }
        }
        None
    }

    fn read_collected(&self) -> std::sync::RwLockReadGuard<'_, Collected> {
        self.collected
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn write_collected(&self) -> std::sync::RwLockWriteGuard<'_, Collected> {
        self.collected
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Relies on nothing that is condemned here, from now on.
    pub(crate) fn condemn(&self, condemned: &Condemned) {
        let mut collected = self.write_collected();
        collected.condemned.extend(&condemned.packs);
        let forwards = condemned.forwards.iter().cloned();
        collected.condemned_forwards.extend(forwards);
    }

    /// Adds a pack of which frames were moved.
    pub(crate) fn add_moved(&self, pack: PackId) {
        self.write_collected().moved.insert(pack);
    }

    /// Says whether a pack is condemned: that it is not there is no loss.
    pub(crate) fn is_condemned(&self, pack: &PackId) -> bool {
        self.read_collected().condemned.contains(pack)
    }

    /// Relies on no pack that is not in `there`, from now on; returns whether any was relied on.
    pub(crate) fn forget_gone(&self, there: &HashSet<PackId>) -> bool {
        let unseen: Vec<PackId> = {
            let present = self.present.read().unwrap_or_else(PoisonError::into_inner);
            let unseen = present.keys().filter(|pack| !there.contains(pack));
            unseen.copied().collect()
        };
        // A listing may lag; asking for the pack itself does not.
        let is_gone = |pack: &PackId| {
            let found = self.shared.store.size_bytes(&pack.object_name());
            found.is_err_and(|error| error.kind() == StoreErrorKind::NotFound)
        };
        let gone: Vec<PackId> = unseen.into_iter().filter(is_gone).collect();
        let mut present = self.present.write().unwrap_or_else(PoisonError::into_inner);
        for pack in &gone {
            present.remove(pack);
        }
        drop(present);
        self.write_collected().gone.extend(&gone);
        !gone.is_empty()
    }

    /// Says what is known against a place.
    pub(crate) fn standing(&self, locator: &Locator) -> Standing {
        if self.usable(locator) {
            return Standing::Good;
        }
        let collected = self.read_collected();
        if collected.gone.contains(&locator.pack) {
            Standing::Gone
        } else if collected.condemned.contains(&locator.pack) {
            Standing::Condemned
        } else {
            Standing::Good
        }
    }

    /// Says whether what this run stored itself has been condemned or deleted since: a run that
    /// slept for days.
    pub(super) fn is_doomed(&self, locator: &Locator) -> bool {
        let collected = self.read_collected();
        collected.condemned.contains(&locator.pack) || collected.gone.contains(&locator.pack)
    }
}
