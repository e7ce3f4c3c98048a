//! All forwarding objects of a store, and where they lead.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use object_store::{ObjectInfo, StoreErrorKind};

use crate::collect::pack_table::PackTable;
use crate::format::{Forward, Locator, PackId, SEALED_BYTES_MAX, forwarded_pack, sealed_key_id};
use crate::keys::DomainId;
use crate::read::{HOPS_MAX, moved_to};
use crate::shared::Shared;
use crate::{RepositoryError, RepositoryErrorKind};

/// Forwarding objects of one pack that are looked at; more than a few are nobody's honest work.
const OBJECTS_MAX: usize = 64;

/// One forwarding object.
pub(crate) struct ForwardObject {
    pub(crate) info: ObjectInfo,
    pub(crate) domain: DomainId,
    forwards: Vec<Forward>,
    reached: AtomicBool,
}

impl ForwardObject {
    /// Says whether a point needs it.
    pub(crate) fn reached(&self) -> bool {
        self.reached.load(Ordering::Relaxed)
    }
}

/// All forwarding objects of the domains that we hold.
#[derive(Default)]
pub(crate) struct ForwardMap {
    /// By name.
    pub(crate) objects: Vec<ForwardObject>,
    by_pack: HashMap<(DomainId, PackId), Vec<usize>>,
}

/// Where a frame is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Number of the pack in the listing.
    pub(crate) pack: u32,
    pub(crate) offset: u32,
    pub(crate) stored_bytes: u32,
    /// A forwarding object leads there.
    pub(crate) moved: bool,
}

/// A way from pack to pack: the numbers of the forwarding objects, the last one first.
struct Way {
    objects: Vec<usize>,
    place: Place,
}

impl ForwardMap {
    /// Reads all forwarding objects. One of ours that cannot be read is an error: what it leads to
    /// would be taken for garbage.
    pub(crate) fn load(shared: &Arc<Shared>) -> Result<Self, RepositoryError> {
        let mut infos = Vec::new();
        shared
            .store
            .list("forward/", &mut |info| infos.push(info))?;
        infos.sort_unstable();
        let mut map = Self::default();
        for info in infos {
            let Some(old_pack) = forwarded_pack(&info.name) else {
                continue;
            };
            let bytes = match shared.store.get(&info.name, SEALED_BYTES_MAX as u64) {
                Err(error) if error.kind() == StoreErrorKind::NotFound => continue,
                bytes => bytes?,
            };
            let view = match shared.of_domain(sealed_key_id(&info.name, &bytes)?) {
                Err(error) if error.kind() == RepositoryErrorKind::OtherDomain => continue,
                view => view?,
            };
            let forwards = view.open_forward(&info.name, &bytes)?;
            let domain = view.domain().id;
            let of_pack = map.by_pack.entry((domain, old_pack)).or_default();
            of_pack.push(map.objects.len());
            map.objects.push(ForwardObject {
                info,
                domain,
                forwards,
                reached: AtomicBool::new(false),
            });
        }
        Ok(map)
    }

    /// Finds the pack that a point needs for a frame, and marks the forwarding objects on the way
    /// as needed. `None`: the frame is nowhere.
    pub(crate) fn resolve(
        &self,
        table: &PackTable,
        domain: DomainId,
        locator: &Locator,
    ) -> Option<Place> {
        if !self.objects.is_empty()
            && let Some(way) = self.follow(table, domain, locator, &mut Vec::new())
        {
            for number in way.objects {
                self.objects[number].reached.store(true, Ordering::Relaxed);
            }
            return Some(way.place);
        }
        let pack = table.number(&locator.pack)?;
        Some(Place {
            pack,
            offset: locator.offset,
            stored_bytes: locator.stored_bytes,
            moved: false,
        })
    }

    /// Finds the shortest way; of equal ones that whose first object has the lowest name.
    fn follow(
        &self,
        table: &PackTable,
        domain: DomainId,
        locator: &Locator,
        path: &mut Vec<PackId>,
    ) -> Option<Way> {
        // In a circle everything is where it is.
        if path.len() >= HOPS_MAX || path.contains(&locator.pack) {
            return None;
        }
        let objects = self.by_pack.get(&(domain, locator.pack))?;
        let mut best: Option<Way> = None;
        path.push(locator.pack);
        for number in objects.iter().take(OBJECTS_MAX) {
            let object = &self.objects[*number];
            let Some(target) = moved_to(&object.forwards, locator.offset) else {
                continue;
            };
            let here = || {
                Some(Way {
                    objects: Vec::new(),
                    place: Place {
                        pack: table.number(&target.pack)?,
                        offset: target.offset,
                        stored_bytes: target.stored_bytes,
                        moved: true,
                    },
                })
            };
            if path.contains(&target.pack) {
                continue;
            }
            let Some(mut way) = self.follow(table, domain, &target, path).or_else(here) else {
                continue;
            };
            way.objects.push(*number);
            if best
                .as_ref()
                .is_none_or(|best| way.objects.len() < best.objects.len())
            {
                best = Some(way);
            }
        }
        path.pop();
        best
    }
}
