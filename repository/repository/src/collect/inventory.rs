//! What a store holds, as a collection begins.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::RepositoryError;
use crate::collect::condemned_objects::CondemnedObject;
use crate::collect::forward_map::ForwardMap;
use crate::collect::long_runs::LongRuns;
use crate::collect::pack_table::{ListedPack, PackTable};
use crate::domain_view::Shared;
use crate::format::PackId;
use crate::keys::DomainId;
use crate::read::index_objects;

/// An index object of a domain that we hold.
pub(crate) struct ListedIndex {
    pub(crate) object: String,
    pub(crate) id: PackId,
    pub(crate) size_bytes: u64,
    pub(crate) domain: DomainId,
    /// Numbers of the packs that it lists and that are there.
    pub(crate) packs: Vec<u32>,
    /// Packs that it lists and that are not there.
    pub(crate) gone_packs: Vec<PackId>,
}

/// What a store holds. Listed in this order, and points last.
pub(crate) struct Inventory {
    /// The store's time before anything was listed.
    pub(crate) now: SystemTime,
    pub(crate) condemned: Vec<CondemnedObject>,
    /// Condemned objects that are nobody's that we know.
    pub(crate) foreign_condemned: u64,
    pub(crate) runs: LongRuns,
    pub(crate) forwards: ForwardMap,
    pub(crate) indexes: Vec<ListedIndex>,
    pub(crate) table: PackTable,
    /// Whose indexes list a pack; `None` where that are several domains'. Nothing is deleted on
    /// their word: a domain's hosts can list what is another's.
    pub(crate) listers: HashMap<u32, Option<DomainId>>,
    pub(crate) points: Vec<String>,
}

/// An index object, before the packs are listed.
struct OpenedIndex {
    object: String,
    id: PackId,
    size_bytes: u64,
    domain: DomainId,
    packs: Vec<PackId>,
}

impl Inventory {
    pub(crate) fn take(shared: &Arc<Shared>) -> Result<Self, RepositoryError> {
        // What other hosts write may lie under keys that are newer than this handle.
        shared.reload_keys()?;
        let now = shared.store.now()?;
        let (condemned, foreign_condemned) = shared.condemned_objects(&HashSet::new())?;
        let runs = LongRuns::load(shared, now)?;
        let forwards = ForwardMap::load(shared)?;
        let opened = open_indexes(shared)?;
        let table = PackTable::new(list_packs(shared)?);
        let points = list_points(shared)?;
        let mut listers: HashMap<u32, Option<DomainId>> = HashMap::new();
        let mut indexes = Vec::with_capacity(opened.len());
        for index in opened {
            let numbers = |pack: &PackId| table.number(pack);
            let packs: Vec<u32> = index.packs.iter().filter_map(numbers).collect();
            let gone = index
                .packs
                .iter()
                .filter(|pack| table.number(pack).is_none());
            let gone_packs = gone.copied().collect();
            for pack in &packs {
                let lister = listers.entry(*pack).or_insert(Some(index.domain));
                *lister = lister.filter(|lister| *lister == index.domain);
            }
            indexes.push(ListedIndex {
                object: index.object,
                id: index.id,
                size_bytes: index.size_bytes,
                domain: index.domain,
                packs,
                gone_packs,
            });
        }
        Ok(Self {
            now,
            condemned,
            foreign_condemned,
            runs,
            forwards,
            indexes,
            table,
            listers,
            points,
        })
    }
}

/// A broken index is as good as none: it is repair's to deal with.
fn open_indexes(shared: &Arc<Shared>) -> Result<Vec<OpenedIndex>, RepositoryError> {
    let mut opened = Vec::new();
    for (object, id, size_bytes) in index_objects(&*shared.store)? {
        if let Ok(directory) = shared.open_index(&object, id, size_bytes) {
            opened.push(OpenedIndex {
                object,
                id,
                size_bytes,
                domain: directory.domain,
                packs: directory.packs,
            });
        }
    }
    Ok(opened)
}

fn list_packs(shared: &Shared) -> Result<Vec<ListedPack>, RepositoryError> {
    let mut packs = Vec::new();
    shared.store.list("packs/", &mut |object| {
        if let Some(id) = PackId::from_object_name(&object.name) {
            packs.push(ListedPack {
                id,
                size_bytes: u32::try_from(object.size_bytes).unwrap_or(u32::MAX),
                written: seconds(object.modified),
            });
        }
    })?;
    Ok(packs)
}

/// Lists the points by the names of their objects.
pub(crate) fn list_points(shared: &Shared) -> Result<Vec<String>, RepositoryError> {
    let mut points = Vec::new();
    shared
        .store
        .list("points/", &mut |object| points.push(object.name))?;
    points.sort_unstable();
    Ok(points)
}

/// Returns a time in seconds since 1970, rounded up: nothing looks older than it is.
pub(crate) fn seconds(time: SystemTime) -> u32 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs() + 1).unwrap_or(u32::MAX)
}

/// Says whether something was written at least `age` before `now`.
pub(crate) fn is_older(written: SystemTime, age: Duration, now: SystemTime) -> bool {
    now.duration_since(written).is_ok_and(|since| since >= age)
}
