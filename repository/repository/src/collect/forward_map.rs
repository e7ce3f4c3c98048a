//! All forwarding objects of a store, and where they lead.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use object_store::{ObjectInfo, StoreErrorKind};

use crate::collect::pack_table::PackTable;
use crate::domain_view::Shared;
use crate::format::{Forwards, Locator, PackId, SEALED_BYTES_MAX, forwarded_pack, sealed_key_id};
use crate::keys::DomainId;
use crate::read::PLACES_MAX;
use crate::{RepositoryError, RepositoryErrorKind};

/// Records that are followed from one frame; many may lead to one place.
const HITS_MAX: usize = 4 * PLACES_MAX;
/// The most that all forwarding objects may hold together, in bytes of records: what is kept of
/// them stays below some 400 MiB.
const RECORDS_BYTES_MAX: usize = 256 << 20;
/// Bytes of a record.
const RECORD_BYTES: usize = 28;

/// One forwarding object.
pub(crate) struct ForwardObject {
    pub(crate) info: ObjectInfo,
    pub(crate) domain: DomainId,
    /// A holder of the master key made it.
    vouched: bool,
    reached: AtomicBool,
}

impl ForwardObject {
    /// Says whether a point needs it.
    pub(crate) fn reached(&self) -> bool {
        self.reached.load(Ordering::Relaxed)
    }
}

/// What forwarding objects say of one frame of a pack.
struct Moved {
    old_offset: u32,
    /// Number of the object.
    object: u32,
    target: Locator,
}

/// All forwarding objects of the domains that we hold.
#[derive(Default)]
pub(crate) struct ForwardMap {
    /// By name.
    pub(crate) objects: Vec<ForwardObject>,
    /// By old offset.
    by_pack: HashMap<(DomainId, PackId), Vec<Moved>>,
}

/// Where a frame is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Number of the pack in the listing.
    pub(crate) pack: u32,
    pub(crate) offset: u32,
    pub(crate) stored_bytes: u32,
    /// Forwarding objects lead there.
    pub(crate) moved: bool,
    /// A holder of the master key vouches for all of these.
    pub(crate) vouched: bool,
}

/// A place on the ways that lead on from a frame.
struct Step {
    place: Locator,
    /// The step before, and the object that led here.
    from: Option<(usize, u32)>,
    vouched: bool,
    /// Steps that vouched objects lead to from here.
    vouched_next: Vec<usize>,
    /// Number of the pack, where it is there and long enough.
    there: Option<u32>,
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
        let mut records_bytes = 0;
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
            records_bytes += forwards.moved.len() * RECORD_BYTES;
            if records_bytes > RECORDS_BYTES_MAX {
                return Err(too_many(&view, &info.name));
            }
            map.add(info, old_pack, &view, &forwards);
        }
        for moved in map.by_pack.values_mut() {
            let objects = &map.objects;
            moved.sort_unstable_by_key(|moved| {
                let vouched = objects[moved.object as usize].vouched;
                (moved.old_offset, !vouched, moved.object)
            });
        }
        Ok(map)
    }

    fn add(&mut self, info: ObjectInfo, old_pack: PackId, view: &Shared, forwards: &Forwards) {
        let domain = view.domain().id;
        let object = u32::try_from(self.objects.len()).unwrap_or(u32::MAX);
        let vouched = view.vouches_for(&info.name, forwards);
        let moved = forwards.moved.iter().map(|forward| Moved {
            old_offset: forward.old_offset,
            object,
            target: forward.target,
        });
        self.by_pack
            .entry((domain, old_pack))
            .or_default()
            .extend(moved);
        self.objects.push(ForwardObject {
            info,
            domain,
            vouched,
            reached: AtomicBool::new(false),
        });
    }

    /// Finds the places where a point needs a frame, none where it is nowhere, and marks the
    /// forwarding objects on the way as needed.
    ///
    /// All that may have the frame is needed, except what a holder of the master key says it has
    /// moved on to a place that is there: whoever has but the keys of a domain can have more kept
    /// so, and nothing deleted.
    pub(crate) fn resolve(
        &self,
        table: &PackTable,
        domain: DomainId,
        locator: &Locator,
    ) -> Result<Vec<Place>, RepositoryError> {
        if !self.by_pack.contains_key(&(domain, locator.pack)) {
            let pack = table.number(&locator.pack);
            return Ok(pack
                .map(|pack| Place {
                    pack,
                    offset: locator.offset,
                    stored_bytes: locator.stored_bytes,
                    moved: false,
                    vouched: true,
                })
                .into_iter()
                .collect());
        }
        let steps = self.follow(table, domain, locator)?;
        let mut places = Vec::new();
        for number in needed(&steps) {
            let step = &steps[number];
            let Some(pack) = step.there else { continue };
            places.push(Place {
                pack,
                offset: step.place.offset,
                stored_bytes: step.place.stored_bytes,
                moved: number > 0,
                vouched: step.vouched,
            });
            let mut from = step.from;
            while let Some((before, object)) = from {
                self.objects[object as usize]
                    .reached
                    .store(true, Ordering::Relaxed);
                from = steps[before].from;
            }
        }
        Ok(places)
    }

    /// Follows all ways that lead on from a frame, the shortest first.
    fn follow(
        &self,
        table: &PackTable,
        domain: DomainId,
        locator: &Locator,
    ) -> Result<Vec<Step>, RepositoryError> {
        let mut steps = vec![Step {
            place: *locator,
            from: None,
            vouched: true,
            vouched_next: Vec::new(),
            // What a map names is kept, whatever its length: what is wrong with it is repair's.
            there: table.number(&locator.pack),
        }];
        let mut numbers = HashMap::from([((locator.pack, locator.offset), 0)]);
        let mut hits = 0;
        let mut number = 0;
        while let Some(Step { place, vouched, .. }) = steps.get(number) {
            let (place, vouched) = (*place, *vouched);
            for moved in self.moved(domain, &place) {
                hits += 1;
                if hits > HITS_MAX || steps.len() > PLACES_MAX {
                    // Who cannot follow them all cannot tell what is needed.
                    let what = "more forwarding objects lead on from one frame than are followed";
                    return Err(RepositoryError::damaged(&locator.pack.object_name(), what)
                        .at(locator.offset.into()));
                }
                let by_master = self.objects[moved.object as usize].vouched;
                let new = steps.len();
                let target = (moved.target.pack, moved.target.offset);
                let next = *numbers.entry(target).or_insert(new);
                if next == new {
                    steps.push(Step {
                        place: moved.target,
                        from: Some((number, moved.object)),
                        vouched: vouched && by_master,
                        vouched_next: Vec::new(),
                        there: long_enough(table, &moved.target),
                    });
                }
                if by_master {
                    steps[number].vouched_next.push(next);
                }
            }
            number += 1;
        }
        Ok(steps)
    }

    fn moved(&self, domain: DomainId, place: &Locator) -> &[Moved] {
        let of_pack = self.by_pack.get(&(domain, place.pack));
        let of_pack = of_pack.map(Vec::as_slice).unwrap_or_default();
        let start = of_pack.partition_point(|moved| moved.old_offset < place.offset);
        let end = of_pack.partition_point(|moved| moved.old_offset <= place.offset);
        of_pack.get(start..end).unwrap_or_default()
    }
}

fn long_enough(table: &PackTable, place: &Locator) -> Option<u32> {
    let end = u64::from(place.offset) + u64::from(place.stored_bytes);
    let number = table.number(&place.pack)?;
    (end <= u64::from(table.pack(number).size_bytes)).then_some(number)
}

/// Returns which of the places that are there are needed: the ends of vouched ways, and what no
/// vouched way leads on from to one of these. In a circle everything is needed where it is.
fn needed(steps: &[Step]) -> Vec<usize> {
    let reach: Vec<Vec<usize>> = (0..steps.len())
        .map(|number| vouched_reach(steps, number))
        .collect();
    let is_end = |number: usize| steps[number].there.is_some() && reach[number].is_empty();
    (0..steps.len())
        .filter(|number| steps[*number].there.is_some())
        .filter(|number| !reach[*number].iter().any(|next| is_end(*next)))
        .collect()
}

/// Returns the other places that are there and that vouched ways lead to.
fn vouched_reach(steps: &[Step], start: usize) -> Vec<usize> {
    let mut seen = vec![false; steps.len()];
    seen[start] = true;
    let mut waiting = vec![start];
    let mut found = Vec::new();
    while let Some(number) = waiting.pop() {
        for next in &steps[number].vouched_next {
            if !std::mem::replace(&mut seen[*next], true) {
                waiting.push(*next);
                found.extend(steps[*next].there.map(|_| *next));
            }
        }
    }
    found
}

fn too_many(view: &Shared, object: &str) -> RepositoryError {
    let what = format!(
        "the forwarding objects of the domains come to more than {} MiB with this one of {}",
        RECORDS_BYTES_MAX >> 20,
        view.domain().name
    );
    RepositoryError::new(RepositoryErrorKind::Unsupported, what)
        .in_object(object)
        .hint("a host of this domain may have written what nobody needs")
}
