//! Following frames that were moved to other packs (section 11).

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cache::Cache;
use crate::domain_view::Shared;
use crate::features;
use crate::format::{
    Forward, Forwards as ForwardObject, Locator, PackId, SEALED_BYTES_MAX, SealedKind,
    decode_forwards, encode_forwards, forward_object_name, forward_prefix, open_sealed, seal,
    vouch,
};
use crate::keys::{DomainId, Secret};
use crate::{RepositoryError, RepositoryErrorKind};

/// Places that one frame is followed to.
pub(crate) const PLACES_MAX: usize = 64;
/// Packs whose forwarding objects are kept; one takes 28 bytes for each frame.
const TABLES_KEPT: usize = 256;

/// All that the forwarding objects of one pack say, those first that the master key vouches for
/// where we have it, then those of the lowest name.
pub(crate) struct ForwardTable {
    pub(crate) objects: Vec<(String, Vec<Forward>)>,
}

impl ForwardTable {
    /// Returns where the frame at an offset may lie.
    pub(crate) fn places(&self, old_offset: u32) -> impl Iterator<Item = Locator> + '_ {
        let objects = self.objects.iter();
        objects.filter_map(move |(_, forwards)| moved_to(forwards, old_offset))
    }
}

/// Returns where one forwarding object says that the frame at an offset lies.
pub(crate) fn moved_to(forwards: &[Forward], old_offset: u32) -> Option<Locator> {
    let found = forwards.binary_search_by_key(&old_offset, |forward| forward.old_offset);
    found.ok().map(|number| forwards[number].target)
}

type Tables = Cache<(DomainId, PackId), Arc<ForwardTable>>;

/// Forwarding objects that were read lately.
pub(crate) struct Forwards(Mutex<Tables>);

impl Forwards {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Cache::new(TABLES_KEPT)))
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says whether a frame is not to be had from a place: no such pack, too short, or wrong bytes.
pub(crate) fn is_lost(error: &RepositoryError) -> bool {
    error.kind() == RepositoryErrorKind::Damaged
}

impl Shared {
    /// Reads one forwarding object of this domain.
    fn read_forward(&self, object: &str) -> Result<ForwardObject, RepositoryError> {
        let bytes = self.store.get(object, SEALED_BYTES_MAX as u64)?;
        self.open_forward(object, &bytes)
    }

    /// Opens a forwarding object of this domain that was read.
    pub(crate) fn open_forward(
        &self,
        object: &str,
        bytes: &[u8],
    ) -> Result<ForwardObject, RepositoryError> {
        let domain = self.domain();
        let kind = SealedKind::Forward;
        let body = open_sealed(kind, domain.id, &domain.map_key, object, bytes)?;
        decode_forwards(&body).map_err(|error| error.in_object(object))
    }

    /// Says whether a holder of the master key made a forwarding object of this domain; never
    /// where we lack that key.
    pub(crate) fn vouches_for(&self, object: &str, forwards: &ForwardObject) -> bool {
        let master = self.master("tell who made a forwarding object");
        master.is_ok_and(|(master, _)| forwards.is_vouched(master, self.domain().id, object))
    }

    /// Says where frames of `old_pack` lie now, and vouches for it where we hold the master key:
    /// what they are moved to must be durable, and must have been read from the old place, or
    /// under the name that is lost.
    ///
    /// Returns the name of the forwarding object.
    pub(crate) fn put_forward(
        &self,
        old_pack: PackId,
        forwards: &mut [Forward],
    ) -> Result<String, RepositoryError> {
        let master = self.master("vouch for a forwarding object").ok();
        self.put_forward_of(old_pack, forwards, master.map(|(master, _)| master))
    }

    /// The same on somebody else's word, which nobody vouches for.
    pub(crate) fn put_unvouched_forward(
        &self,
        old_pack: PackId,
        forwards: &mut [Forward],
    ) -> Result<String, RepositoryError> {
        self.put_forward_of(old_pack, forwards, None)
    }

    fn put_forward_of(
        &self,
        old_pack: PackId,
        forwards: &mut [Forward],
        master: Option<&Secret>,
    ) -> Result<String, RepositoryError> {
        self.announce_feature(features::READ_FORWARD)?;
        let object = forward_object_name(old_pack, PackId::random()?);
        let domain = self.domain();
        let mut body = encode_forwards(forwards);
        if let Some(master) = master {
            vouch(master, domain.id, &object, &mut body);
        }
        let kind = SealedKind::Forward;
        let sealed = seal(kind, domain.id, &domain.map_key, &object, &body)?;
        self.store.put_new(&object, &sealed)?;
        Ok(object)
    }

    /// Returns what is said of a pack's frames, read anew where `fresh`. Objects that cannot be
    /// read, such as those of other domains, are passed over.
    pub(crate) fn forward_table(
        &self,
        pack: PackId,
        fresh: bool,
    ) -> Result<Arc<ForwardTable>, RepositoryError> {
        let key = (self.domain().id, pack);
        if !fresh && let Some(table) = self.forwards.lock().get(&key) {
            return Ok(table);
        }
        let mut names = Vec::new();
        let prefix = forward_prefix(pack);
        self.store
            .list(&prefix, &mut |object| names.push(object.name))?;
        names.sort_unstable();
        let mut objects = Vec::new();
        for name in names {
            if let Ok(forwards) = self.read_forward(&name) {
                let vouched = self.vouches_for(&name, &forwards);
                objects.push((!vouched, name, forwards.moved));
            }
        }
        objects.sort_by_key(|(unvouched, _, _)| *unvouched);
        let objects = objects.into_iter();
        let objects = objects.map(|(_, name, moved)| (name, moved)).collect();
        let table = Arc::new(ForwardTable { objects });
        // That there is none may change at any time: a pack is moved while it is read.
        if !table.objects.is_empty() {
            self.forwards.lock().insert(key, Arc::clone(&table));
        }
        Ok(table)
    }

    /// Does `read` at a place, and where the frame is not to be had there, wherever it was moved to.
    ///
    /// Fails as the first place failed where nothing helps.
    pub(crate) fn read_following<T>(
        &self,
        place: Locator,
        read: &mut dyn FnMut(Locator) -> Result<T, RepositoryError>,
    ) -> Result<T, RepositoryError> {
        match read(place) {
            Err(error) if is_lost(&error) => {
                let found = self.follow(place, read)?;
                found.ok_or(error)
            }
            result => result,
        }
    }

    fn follow<T>(
        &self,
        place: Locator,
        read: &mut dyn FnMut(Locator) -> Result<T, RepositoryError>,
    ) -> Result<Option<T>, RepositoryError> {
        let mut tried = HashSet::from([(place.pack, place.offset)]);
        // What was kept may be old: the frame may have been moved on since.
        for fresh in [false, true] {
            let mut trail = Trail::new(place);
            while let Some(here) = trail.next() {
                for next in self.forward_table(here.pack, fresh)?.places(here.offset) {
                    if !trail.add(next) || !tried.insert((next.pack, next.offset)) {
                        continue;
                    }
                    match read(next) {
                        Err(error) if is_lost(&error) => {}
                        result => return result.map(Some),
                    }
                }
            }
        }
        Ok(None)
    }
}

/// The places that forwarding objects lead to from one frame, the nearest first, each once.
///
/// Who writes forwarding objects may write circles, and many of them: a trail ends all the same.
pub(crate) struct Trail {
    seen: HashSet<(PackId, u32)>,
    waiting: VecDeque<Locator>,
}

impl Trail {
    pub(crate) fn new(place: Locator) -> Self {
        Self {
            seen: HashSet::from([(place.pack, place.offset)]),
            waiting: VecDeque::from([place]),
        }
    }

    /// Adds a place that was led to; returns whether it is new, and there are not too many.
    pub(crate) fn add(&mut self, place: Locator) -> bool {
        let new = self.seen.len() <= PLACES_MAX && self.seen.insert((place.pack, place.offset));
        if new {
            self.waiting.push_back(place);
        }
        new
    }
}

impl Iterator for Trail {
    type Item = Locator;

    /// Returns a place that nobody has followed yet.
    fn next(&mut self) -> Option<Locator> {
        self.waiting.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(pack: u8, offset: u32) -> Locator {
        Locator {
            pack: PackId([pack; 16]),
            offset,
            stored_bytes: 1,
        }
    }

    #[test]
    fn circles_and_wide_branches_end_after_few_steps() {
        let mut trail = Trail::new(place(0, 0));
        let (mut steps, mut asked) = (0, 0);
        while let Some(here) = trail.next() {
            steps += 1;
            // Back to the first, to itself, and on to 64 others.
            for next in 0..64 {
                asked += 1;
                trail.add(place(here.pack.0[0] + 1, next));
            }
            trail.add(here);
            trail.add(place(0, 0));
        }
        assert_eq!(steps, PLACES_MAX + 1);
        assert!(asked <= 64 * (PLACES_MAX + 1));
        // Eight hops in a line are followed to their end.
        let mut trail = Trail::new(place(0, 0));
        let mut last = 0;
        while let Some(here) = trail.next() {
            last = here.pack.0[0];
            if last < 8 {
                assert!(trail.add(place(last + 1, 0)));
                assert!(!trail.add(place(last, 0)));
            }
        }
        assert_eq!(last, 8);
    }
}
