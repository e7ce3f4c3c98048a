//! Following frames that were moved to other packs (section 11).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cache::Cache;
use crate::features;
use crate::format::{
    Forward, Locator, PackId, SEALED_BYTES_MAX, SealedKind, decode_forwards, encode_forwards,
    forward_object_name, forward_prefix, open_sealed, seal,
};
use crate::keys::DomainId;
use crate::shared::Shared;
use crate::{RepositoryError, RepositoryErrorKind};

/// How far a frame is followed from pack to pack.
pub(crate) const HOPS_MAX: usize = 8;
/// Packs whose forwarding objects are kept; one takes 28 bytes for each frame.
const TABLES_KEPT: usize = 256;

/// All that the forwarding objects of one pack say, those of the lowest name first.
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
    pub(crate) fn read_forward(&self, object: &str) -> Result<Vec<Forward>, RepositoryError> {
        let bytes = self.store.get(object, SEALED_BYTES_MAX as u64)?;
        self.open_forward(object, &bytes)
    }

    /// Opens a forwarding object of this domain that was read.
    pub(crate) fn open_forward(
        &self,
        object: &str,
        bytes: &[u8],
    ) -> Result<Vec<Forward>, RepositoryError> {
        let domain = self.domain();
        let kind = SealedKind::Forward;
        let body = open_sealed(kind, domain.id, &domain.map_key, object, bytes)?;
        decode_forwards(&body).map_err(|error| error.in_object(object))
    }

    /// Says where frames of `old_pack` lie now. What they are moved to must be durable.
    ///
    /// Returns the name of the forwarding object.
    pub(crate) fn put_forward(
        &self,
        old_pack: PackId,
        forwards: &mut [Forward],
    ) -> Result<String, RepositoryError> {
        self.announce_feature(features::READ_FORWARD)?;
        let object = forward_object_name(old_pack, PackId::random()?);
        let domain = self.domain();
        let body = encode_forwards(forwards);
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
                objects.push((name, forwards));
            }
        }
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
                let found = self.follow(place, HOPS_MAX, read)?;
                found.ok_or(error)
            }
            result => result,
        }
    }

    fn follow<T>(
        &self,
        place: Locator,
        hops: usize,
        read: &mut dyn FnMut(Locator) -> Result<T, RepositoryError>,
    ) -> Result<Option<T>, RepositoryError> {
        let Some(hops) = hops.checked_sub(1) else {
            return Ok(None);
        };
        let mut tried = Vec::new();
        // What was kept may be old: the frame may have been moved on since.
        for fresh in [false, true] {
            let table = self.forward_table(place.pack, fresh)?;
            for next in table.places(place.offset) {
                if tried.contains(&next) {
                    continue;
                }
                tried.push(next);
                match read(next) {
                    Ok(found) => return Ok(Some(found)),
                    Err(error) if is_lost(&error) => {
                        if let Some(found) = self.follow(next, hops, read)? {
                            return Ok(Some(found));
                        }
                    }
                    Err(error) => return Err(error),
                }
            }
            if table.objects.is_empty() {
                break;
            }
        }
        Ok(None)
    }
}
