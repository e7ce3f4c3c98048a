//! What collectors mean to delete, as a run sees it (format page, section 11).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::collect::{CondemnedObject, GRACE_MIN, LAG_MAX};
use crate::domain_view::Shared;
use crate::format::{Condemned, Name, PackId, forwarded_pack};
use crate::stream::StreamRoot;
use crate::write::known_chunks::KnownChunks;
use crate::write::mender::Held;
use crate::{Repository, RepositoryError, RestorePoint};

/// A writer that has not looked for this long looks before it publishes.
const LOOK_AFTER: Duration = Duration::from_secs(GRACE_MIN.as_secs() / 4);

/// A moment, by all clocks that there are: the store's, the machine's, and one that nobody sets.
#[derive(Debug, Clone, Copy)]
struct Moment {
    store: SystemTime,
    wall: SystemTime,
    monotonic: Instant,
}

impl Moment {
    fn now(shared: &Shared) -> Result<Self, RepositoryError> {
        // The store is asked last: an answer that comes late makes the time longer, not shorter.
        let (wall, monotonic) = (SystemTime::now(), Instant::now());
        let store = shared.store.now()?;
        Ok(Self {
            store,
            wall,
            monotonic,
        })
    }

    /// Returns the longest time that any clock says has passed until `later`: a machine that slept
    /// may not know it, and a clock may have been set back.
    fn longest_until(&self, later: &Self) -> Duration {
        let store = later.store.duration_since(self.store).unwrap_or_default();
        let wall = later.wall.duration_since(self.wall).unwrap_or_default();
        let monotonic = later.monotonic.saturating_duration_since(self.monotonic);
        store.max(wall).max(monotonic)
    }
}

/// How a map came to be that this run stored.
struct StoredFrom {
    /// The look before it was begun.
    look: u64,
    /// The root of the earlier map of which parts were shared unread.
    shared_unread: Option<Name>,
}

struct Found {
    object: CondemnedObject,
    /// The look that found it.
    look: u64,
}

/// Knows what is condemned, and when that was looked at.
pub(crate) struct CondemnedWatch {
    shared: Arc<Shared>,
    known: Arc<KnownChunks>,
    found: Vec<Found>,
    names: HashSet<String>,
    looks: u64,
    looked: Moment,
    stored: HashMap<Name, Vec<StoredFrom>>,
    /// Packs went away since the run began.
    packs_gone: bool,
}

impl CondemnedWatch {
    /// Looks for the first time, before anything else is listed.
    pub(crate) fn begin(
        shared: Arc<Shared>,
        known: Arc<KnownChunks>,
    ) -> Result<Self, RepositoryError> {
        let looked = Moment::now(&shared)?;
        let mut watch = Self {
            shared,
            known,
            found: Vec::new(),
            names: HashSet::new(),
            looks: 0,
            looked,
            stored: HashMap::new(),
            packs_gone: false,
        };
        watch.look_at_condemned()?;
        Ok(watch)
    }

    /// Returns when the run began, by the store's clock, if this is asked before the next look.
    pub(crate) fn looked_at(&self) -> SystemTime {
        self.looked.store
    }

    /// Says whether so long has passed that packs may have gone.
    pub(crate) fn is_late(&self) -> Result<bool, RepositoryError> {
        let now = Moment::now(&self.shared)?;
        Ok(self.looked.longest_until(&now) >= LOOK_AFTER)
    }

    /// Looks again; returns whether there is anything new. With `packs` also at which packs are
    /// still there.
    ///
    /// Condemned objects before packs: what is deleted between the two is known as condemned.
    pub(crate) fn look(&mut self, packs: bool) -> Result<bool, RepositoryError> {
        let now = Moment::now(&self.shared)?;
        let before = self.found.len();
        self.look_at_condemned()?;
        if packs {
            let mut there = HashSet::new();
            self.shared.store.list("packs/", &mut |object| {
                there.extend(PackId::from_object_name(&object.name));
            })?;
            self.packs_gone |= self.known.forget_gone(&there);
        }
        self.looked = now;
        Ok(self.found.len() > before || (packs && self.packs_gone))
    }

    fn look_at_condemned(&mut self) -> Result<(), RepositoryError> {
        self.looks += 1;
        let domain = self.shared.domain().id;
        for object in self.shared.condemned_objects(&self.names)?.0 {
            self.names.insert(object.object.clone());
            // A domain speaks of its own packs alone.
            if object.domain == domain {
                self.known.condemn(&object.content);
                let look = self.looks;
                self.found.push(Found { object, look });
            }
        }
        Ok(())
    }

    /// Remembers how a map came to be; `shared_unread` is the map of which parts were taken over
    /// without being looked at.
    pub(crate) fn note_stored(&mut self, root: Option<Name>, shared_unread: Option<Name>) {
        let look = self.looks;
        if let Some(root) = root {
            self.stored.entry(root).or_default().push(StoredFrom {
                look,
                shared_unread,
            });
        }
    }

    /// Says whether a point of this run may need something that is condemned or gone, so that its
    /// nodes are to be walked.
    pub(crate) fn may_need_mending(&self, point: &RestorePoint) -> Result<bool, RepositoryError> {
        if self.packs_gone {
            return Ok(true);
        }
        let Some(latest) = self.found.iter().map(|found| found.look).max() else {
            return Ok(false);
        };
        let mut shared_unread = Vec::new();
        for stream in point.all_streams() {
            let root = stream.root.as_ref().map(StreamRoot::to_map).transpose()?;
            let Some(root) = root else { continue };
            let Some(stored) = self.stored.get(&root.name) else {
                // Nobody knows how it came to be.
                return Ok(true);
            };
            if stored.iter().any(|stored| stored.look < latest) {
                return Ok(true);
            }
            shared_unread.extend(stored.iter().filter_map(|stored| stored.shared_unread));
        }
        if shared_unread.is_empty() {
            return Ok(false);
        }
        self.parent_is_unknown(point, &shared_unread)
    }

    /// Says whether any condemned object may know nothing of the point's parent, or the parent is
    /// not all that was shared from.
    ///
    /// A parent that is there now was there when the collector listed the points, so nothing that
    /// it reaches was condemned.
    fn parent_is_unknown(
        &self,
        point: &RestorePoint,
        shared_unread: &[Name],
    ) -> Result<bool, RepositoryError> {
        let Some(id) = &point.parent else {
            return Ok(true);
        };
        let folder = self.shared.point_folder(&point.vm.identity);
        let object = format!("{folder}{id}");
        let mut written = None;
        self.shared.store.list(&folder, &mut |info| {
            if info.name == object {
                written = Some(info.modified);
            }
        })?;
        let Some(known_since) = written.and_then(|written| written.checked_add(LAG_MAX)) else {
            return Ok(true);
        };
        let marked = |found: &Found| SystemTime::from(found.object.content.marked);
        if self.found.iter().any(|found| marked(found) < known_since) {
            return Ok(true);
        }
        let repository = Repository {
            shared: Arc::clone(&self.shared),
        };
        // Reading it says that it is there now, whatever the listing says.
        let Some(parent) = repository.read_point_if_there(&object)? else {
            return Ok(true);
        };
        let mut roots = HashSet::new();
        for stream in parent.all_streams() {
            let root = stream.root.as_ref().map(StreamRoot::to_map).transpose()?;
            roots.extend(root.map(|root| root.name));
        }
        Ok(!shared_unread.iter().all(|root| roots.contains(root)))
    }

    /// Says whether a point that is there now is in time for every collector to see it before it
    /// deletes what is condemned: then it is safe as it is.
    pub(crate) fn is_in_time(&self) -> bool {
        !self.packs_gone && self.are_young(|_| true)
    }

    /// Says the same of a point that needs nothing that is condemned but what lies in these packs.
    pub(crate) fn is_in_time_for(&self, held: &Held) -> bool {
        let names = |condemned: &Condemned| {
            let leads_from = |forward: &String| {
                forwarded_pack(forward).is_none_or(|pack| held.packs.contains(&pack))
            };
            condemned.packs.iter().any(|pack| held.packs.contains(pack))
                || condemned.forwards.iter().any(leads_from)
        };
        !held.may_be_gone && self.are_young(names)
    }

    /// Says whether no collector can have begun to delete by a condemned object that `counts`.
    fn are_young(&self, counts: impl Fn(&Condemned) -> bool) -> bool {
        let Ok(now) = Moment::now(&self.shared) else {
            return false;
        };
        self.found
            .iter()
            .filter(|found| counts(&found.object.content))
            .all(|found| {
                let since = now.store.duration_since(found.object.written);
                since.unwrap_or_default() < GRACE_MIN / 2
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_time_counts_whichever_clock_stood_still_or_was_set_back() {
        let hour = Duration::from_secs(3600);
        let start = Moment {
            store: SystemTime::UNIX_EPOCH + 100 * hour,
            wall: SystemTime::UNIX_EPOCH + 100 * hour,
            monotonic: Instant::now(),
        };
        let at = |store: u32, wall: u32, monotonic: u32| Moment {
            store: SystemTime::UNIX_EPOCH + store * hour,
            wall: SystemTime::UNIX_EPOCH + wall * hour,
            monotonic: start.monotonic + monotonic * hour,
        };
        for (moment, hours) in [
            (at(107, 100, 0), 7),
            (at(90, 108, 1), 8),
            (at(0, 0, 9), 9),
            (at(0, 0, 0), 0),
        ] {
            assert_eq!(start.longest_until(&moment), hours * hour);
        }
    }
}
