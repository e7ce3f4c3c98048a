//! Removing a point, and what was said of it.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use object_store::{ObjectStore, StoreError, StoreErrorKind};

use crate::format::SEALED_BYTES_MAX;
use crate::points::note::point_of_note;
use crate::points::point_notes::in_effect;
use crate::points::survey::timestamp;
use crate::points::{PointNotes, PointSummary};
use crate::{Repository, RepositoryError};

/// Notes of a point that is not there are left alone for so long.
const STRAY_NOTES_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// What became of a point that was to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Removal {
    /// It is not there any more.
    Removed,
    /// It was gone already.
    Gone,
    /// The store keeps it until a later time, where it says which.
    Locked(Option<Timestamp>),
    /// What it says itself keeps it.
    Kept,
}

impl Repository {
    /// Removes a point, then its notes, and nothing that it needs.
    ///
    /// The point and its notes are read just before; `decide` is asked with what they say, and
    /// nothing is removed where it says no.
    pub fn remove_point_with_notes(
        &self,
        object: &str,
        decide: impl FnOnce(&PointSummary, &PointNotes) -> bool,
    ) -> Result<Removal, RepositoryError> {
        self.shared.master("remove restore points")?;
        let store = &*self.shared.store;
        let bytes = match store.get(object, SEALED_BYTES_MAX as u64) {
            Err(error) if error.kind() == StoreErrorKind::NotFound => return Ok(Removal::Gone),
            result => result?,
        };
        let (domain, point) = self.open_point(object, &bytes)?;
        let (heard, unread) = self.notes_of(&point.id)?;
        let notes = in_effect(heard.iter(), domain, unread);
        if !decide(&PointSummary::of(object, &point), &notes) {
            return Ok(Removal::Kept);
        }
        if let Some(until) = locked_until(store, object)? {
            return Ok(Removal::Locked(Some(until)));
        }
        match store.remove(object) {
            Err(error) if error.kind() == StoreErrorKind::Locked => Ok(Removal::Locked(None)),
            Err(error) if error.kind() != StoreErrorKind::NotFound => Err(error.into()),
            _ => {
                for note in heard {
                    forgive(store.remove(&note.object))?;
                }
                Ok(Removal::Removed)
            }
        }
    }

    /// Removes notes that were written a day ago or earlier and whose point is not there: a removal
    /// that died left them. Returns how many.
    pub fn remove_stray_notes(&self) -> Result<u64, RepositoryError> {
        let store = &*self.shared.store;
        let mut notes = Vec::new();
        store.list("notes/", &mut |object| notes.push(object))?;
        if notes.is_empty() {
            return Ok(0);
        }
        let mut points = std::collections::HashSet::new();
        store.list("points/", &mut |object| {
            points.extend(object.name.rsplit('/').next().map(str::to_owned));
        })?;
        let young = store.now()?.checked_sub(STRAY_NOTES_LIFE);
        let is_old = |written: SystemTime| young.is_some_and(|young| written < young);
        let mut removed = 0;
        for note in notes {
            let stray = point_of_note(&note.name).is_some_and(|id| !points.contains(id));
            if stray && is_old(note.modified) {
                forgive(store.remove(&note.name))?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Returns the time by the store's clock, which all hosts share.
    pub fn store_time(&self) -> Result<Timestamp, RepositoryError> {
        Ok(timestamp(self.shared.store.now()?))
    }

    /// Returns how many bytes can still be written, where the store tells.
    pub fn free_bytes(&self) -> Result<Option<u64>, RepositoryError> {
        Ok(self.shared.store.free_bytes()?)
    }
}

/// A note that cannot go now is a stray one later.
fn forgive(removed: Result<(), StoreError>) -> Result<(), RepositoryError> {
    match removed {
        Err(error)
            if !matches!(
                error.kind(),
                StoreErrorKind::NotFound | StoreErrorKind::Locked
            ) =>
        {
            Err(error.into())
        }
        _ => Ok(()),
    }
}

fn locked_until(
    store: &dyn ObjectStore,
    object: &str,
) -> Result<Option<Timestamp>, RepositoryError> {
    let Some(retention) = store.retention() else {
        return Ok(None);
    };
    let until = retention.locked_until(object)?;
    let now = store.now()?;
    Ok(until.filter(|until| *until > now).map(timestamp))
}
