//! Leading readers from where a frame was lost to where it lies now.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::domain_view::Shared;
use crate::format::{
    Forward, LOST_FRAMES_MAX, Locator, LostFrame, Name, PAGE_STORED_BYTES, PackId, PackKind,
    SEALED_BYTES_MAX, SealedKind, decode_lost, encode_lost, open_sealed, seal, sealed_key_id,
};
use crate::format::{IndexDirectory, random_bytes};
use crate::hex;
use crate::maintain::check::is_damage;
use crate::read::index_objects;
use crate::{RepositoryError, RepositoryErrorKind};

/// What an attempt to heal came to.
#[derive(Debug, Default)]
pub(crate) struct Healing {
    /// Frames that can be read again.
    pub(crate) healed: u64,
    /// Frames that are nowhere.
    pub(crate) lost: Vec<LostFrame>,
}

/// An object that says what is lost: its name, and what it says where that can be read.
pub(crate) type LostObject = (String, Result<Vec<LostFrame>, RepositoryError>);

/// Finds where else a frame of a name lies.
pub(crate) type FindFrame<'a> = dyn Fn(&Name) -> Option<Locator> + 'a;

impl Shared {
    /// Looks each lost frame up, and writes forwarding objects to where it lies now.
    ///
    /// `find` tells of durable packs alone. What it finds is read before it is believed, but for a
    /// host that reads no data: readers compare names, and go on looking where one is wrong. Where
    /// that host finds forwarding objects, it asks `is_usable` whether they lead to anything.
    pub(crate) fn heal(
        self: &Arc<Self>,
        frames: &[LostFrame],
        find: &FindFrame<'_>,
        is_usable: &dyn Fn(&Locator) -> bool,
    ) -> Result<Healing, RepositoryError> {
        let mut healing = Healing::default();
        let mut forwards: BTreeMap<PackId, BTreeMap<u32, Locator>> = BTreeMap::new();
        let mut told = HashSet::new();
        for frame in frames {
            if !told.insert((frame.place.pack, frame.place.offset)) {
                continue;
            }
            if self.is_forwarded(frame, is_usable)? {
                healing.healed += 1;
                continue;
            }
            let found = find(&frame.name).filter(|found| found.pack != frame.place.pack);
            match found {
                Some(found) if self.is_write_only() || self.holds(&frame.name, found)? => {
                    let of_pack = forwards.entry(frame.place.pack).or_default();
                    of_pack.insert(frame.place.offset, found);
                    healing.healed += 1;
                }
                _ => healing.lost.push(*frame),
            }
        }
        for (pack, of_pack) in forwards {
            let mut of_pack: Vec<Forward> = of_pack
                .into_iter()
                .map(|(old_offset, target)| Forward { old_offset, target })
                .collect();
            self.put_forward(pack, &mut of_pack)?;
        }
        Ok(healing)
    }

    /// Says whether a forwarding object leads to a frame of this name already.
    fn is_forwarded(
        self: &Arc<Self>,
        frame: &LostFrame,
        is_usable: &dyn Fn(&Locator) -> bool,
    ) -> Result<bool, RepositoryError> {
        let table = self.forward_table(frame.place.pack, false)?;
        for place in table.places(frame.place.offset) {
            // The store tells whether the pack is there; what lies in it a reader finds out.
            let leads_there = if self.is_write_only() {
                is_usable(&place)
            } else {
                self.holds(&frame.name, place)?
            };
            if leads_there {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Says whether the frame of a name, chunk or node, can be read at a place.
    pub(crate) fn holds(
        self: &Arc<Self>,
        name: &Name,
        place: Locator,
    ) -> Result<bool, RepositoryError> {
        // What is in the pack its header says: a key for the wrong kind must not be kept.
        let read = self.read_header(place.pack);
        let read = read.and_then(|(header, _)| match header.kind {
            PackKind::Chunks => self.read_chunk_at(name, place),
            PackKind::MapNodes => self.read_node_at(name, place),
        });
        match read {
            Ok(()) => Ok(true),
            Err(error) if is_damage(&error) => Ok(false),
            Err(error) if error.kind() == RepositoryErrorKind::OtherDomain => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn read_chunk_at(&self, name: &Name, place: Locator) -> Result<(), RepositoryError> {
        let chunk_bytes = usize::try_from(self.file.chunk_bytes).unwrap_or(0);
        self.read_frames(&[(*name, place)], &mut |_, open| {
            let mut chunk = vec![0; chunk_bytes];
            let len = open(&mut chunk)?;
            if self.naming.chunk(&chunk[..len]) == *name {
                return Ok(());
            }
            let what = "a chunk does not hold what its name says";
            Err(RepositoryError::new(RepositoryErrorKind::Damaged, what))
        })
    }

    fn read_node_at(&self, name: &Name, place: Locator) -> Result<(), RepositoryError> {
        let plain = self.read_node(*name, place)?;
        match crate::maintain::check::name_of_node(&self.naming, &plain)? {
            found if found == *name => Ok(()),
            _ => {
                let what = "a map node does not hold what its name says";
                Err(RepositoryError::new(RepositoryErrorKind::Damaged, what))
            }
        }
    }

    /// Lists the objects of this domain that say what is lost, with what they say.
    pub(crate) fn lost_objects(&self) -> Result<Vec<LostObject>, RepositoryError> {
        let mut names = Vec::new();
        self.store
            .list("lost/", &mut |object| names.push(object.name))?;
        names.sort_unstable();
        let mut objects = Vec::new();
        for name in names {
            let bytes = match self.store.get(&name, SEALED_BYTES_MAX as u64) {
                // Somebody else has healed all of it.
                Err(error) if error.kind() == object_store::StoreErrorKind::NotFound => continue,
                result => result?,
            };
            let domain = self.domain();
            let read = match sealed_key_id(&name, &bytes) {
                Ok(id) if id != domain.id => continue,
                Ok(_) => {
                    let kind = SealedKind::Lost;
                    open_sealed(kind, domain.id, &domain.map_key, &name, &bytes)
                        .and_then(|body| decode_lost(&body))
                }
                Err(error) => Err(error),
            };
            objects.push((name, read));
        }
        Ok(objects)
    }

    /// Writes down what is lost; returns the names of the objects.
    pub(crate) fn put_lost(&self, frames: &[LostFrame]) -> Result<Vec<String>, RepositoryError> {
        let domain = self.domain();
        let mut objects = Vec::new();
        for frames in frames.chunks(LOST_FRAMES_MAX) {
            let object = format!("lost/{}", hex::encode(&random_bytes::<16>()?));
            let body = encode_lost(frames);
            let kind = SealedKind::Lost;
            let sealed = seal(kind, domain.id, &domain.map_key, &object, &body)?;
            self.store.put_new(&object, &sealed)?;
            objects.push(object);
        }
        Ok(objects)
    }

    /// Returns the frames that indexes of this domain list in packs that are not there.
    pub(crate) fn frames_of_missing_packs(
        &self,
        is_there: &dyn Fn(&PackId) -> bool,
    ) -> Result<Vec<LostFrame>, RepositoryError> {
        let mut lost = Vec::new();
        for (object, id, size_bytes) in index_objects(&*self.store)? {
            let Ok(directory) = self.open_index(&object, id, size_bytes) else {
                continue;
            };
            let ours = directory.domain == self.domain().id;
            if !ours || directory.packs.iter().all(is_there) {
                continue;
            }
            for page in 0..directory.pages() {
                let mut bytes = [0; PAGE_STORED_BYTES];
                let offset = IndexDirectory::page_offset(page);
                self.store.get_range(&object, offset, &mut bytes)?;
                // A page that cannot be read is `check`'s to report.
                let _ = directory.read_page(page, &mut bytes, &mut |entry| {
                    if !is_there(&entry.locator.pack) {
                        lost.push(LostFrame {
                            name: entry.name,
                            place: entry.locator,
                        });
                    }
                });
            }
        }
        Ok(lost)
    }

    /// Heals what is known to be lost, at the end of a run that may have stored it again.
    ///
    /// `find`, `is_there` and `is_usable` tell of this domain's packs, those of the run among them.
    pub(crate) fn heal_what_is_known_to_be_lost(
        self: &Arc<Self>,
        find: &FindFrame<'_>,
        is_there: &dyn Fn(&PackId) -> bool,
        is_usable: &dyn Fn(&Locator) -> bool,
    ) -> Result<(), RepositoryError> {
        let missing = self.frames_of_missing_packs(is_there)?;
        self.heal(&missing, find, is_usable)?;
        for (object, frames) in self.lost_objects()? {
            let Ok(frames) = frames else { continue };
            if self.heal(&frames, find, is_usable)?.lost.is_empty() {
                match self.store.remove(&object) {
                    // A host that only writes, or a locked bucket: a repair removes it.
                    Err(error) if is_refused(error.kind()) => {}
                    result => result?,
                }
            }
        }
        Ok(())
    }
}

/// Says whether a store refuses to remove something, and always will for now.
pub(crate) fn is_refused(kind: object_store::StoreErrorKind) -> bool {
    use object_store::StoreErrorKind::{Denied, Locked};
    matches!(kind, Denied | Locked)
}
