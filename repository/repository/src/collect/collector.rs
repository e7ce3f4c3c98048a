//! One collection, from the listing to the report.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use object_store::StoreErrorKind;

use crate::collect::condemned_objects::{CondemnedObject, timestamp};
use crate::collect::inventory::{Inventory, is_older, list_points, seconds};
use crate::collect::marker::Marker;
use crate::collect::options::GRACE_MIN;
use crate::collect::parallel::for_each;
use crate::collect::visited_nodes::VisitedNodes;
use crate::collect::{CollectObserver, CollectOptions, CollectReport, CollectStage};
use crate::domain_view::Shared;
use crate::features;
use crate::format::{Condemned, HEADER_BYTES, Header};
use crate::keys::DomainId;
use crate::{Repository, RepositoryError, RepositoryErrorKind};

/// Packs of one condemned object.
const PACKS_MAX: usize = 1 << 16;
/// The same where the store is full: such an object finds room in the reserve.
const PACKS_MAX_FULL: usize = 1000;
/// Requests at once where the answer takes longer than the question.
const REQUESTS: usize = 8;

impl Repository {
    /// Finds what no point needs, condemns it, and deletes what was condemned a grace ago.
    ///
    /// Backups may go on meanwhile, and other collections. Nothing is done where it cannot be told
    /// what a point needs; the error names the object. Whatever fails, what is done stays done,
    /// and the next collection goes on from there.
    pub fn collect(
        &self,
        options: &CollectOptions,
        observer: &dyn CollectObserver,
    ) -> Result<CollectReport, RepositoryError> {
        if options.grace < GRACE_MIN && !options.no_other_writers {
            let what = "the grace of a collection is at least 24 hours: writers rely on it";
            return Err(RepositoryError::new(RepositoryErrorKind::Unsupported, what));
        }
        // A host that only writes must have nobody's data deleted.
        self.shared.master("collect garbage")?;
        features::refuse_unknown_features(&*self.shared.store, "features/")?;
        if !options.dry_run {
            self.shared.announce_feature(features::COLLECT)?;
        }
        observer.advanced(CollectStage::Listing, 0, 1);
        let inventory = Inventory::take(&self.shared)?;
        let workers = match options.workers {
            0 => std::thread::available_parallelism().map_or(2, usize::from),
            workers => workers,
        };
        let marker = Marker {
            repository: self,
            table: &inventory.table,
            forwards: &inventory.forwards,
            visited: VisitedNodes::new(),
            missing: Mutex::default(),
            sink: None,
            leave_other_domains: options.leave_other_domains,
            workers,
            points_done: AtomicU64::new(0),
        };
        marker.mark_points(&inventory.points, observer)?;
        let mut collection = Collection {
            repository: self,
            options,
            observer,
            inventory: &inventory,
            marker: &marker,
            owners: HashMap::new(),
            rewritten: HashSet::new(),
            condemned: HashSet::new(),
            deleted: HashSet::new(),
            deleted_forwards: HashSet::new(),
            report: CollectReport::default(),
        };
        collection.run()?;
        Ok(collection.report)
    }
}

/// A collection whose marks are made.
pub(crate) struct Collection<'a> {
    pub(crate) repository: &'a Repository,
    pub(crate) options: &'a CollectOptions,
    pub(crate) observer: &'a dyn CollectObserver,
    pub(crate) inventory: &'a Inventory,
    marker: &'a Marker<'a>,
    /// Whose a pack is by its own header; `None` for one that is to be left alone.
    owners: HashMap<u32, Option<DomainId>>,
    /// Packs whose live frames were moved.
    rewritten: HashSet<u32>,
    /// Packs that condemned objects name, of whatever age.
    pub(crate) condemned: HashSet<u32>,
    deleted: HashSet<u32>,
    deleted_forwards: HashSet<usize>,
    pub(crate) report: CollectReport,
}

impl Collection<'_> {
    fn run(&mut self) -> Result<(), RepositoryError> {
        self.count()?;
        self.note_condemned()?;
        if self.options.no_other_writers {
            let condemned = self.condemn()?;
            self.rewrite_indexes()?;
            // Whoever published meanwhile, against the promise, is heard all the same.
            self.mark_new_points()?;
            let old = self.inventory.condemned.iter();
            let all: Vec<CondemnedObject> = old.chain(&condemned).cloned().collect();
            self.delete(&all)?;
            self.note_done(&all)?;
        } else {
            let (now, grace) = (self.inventory.now, self.options.grace);
            let is_due = |object: &&CondemnedObject| is_older(object.written, grace, now);
            let all = self.inventory.condemned.iter();
            let due: Vec<CondemnedObject> = all.filter(is_due).cloned().collect();
            self.delete(&due)?;
            self.note_done(&due)?;
            self.rewritten = self.rewrite()?;
            self.condemn()?;
            self.rewrite_indexes()?;
        }
        self.forget()
    }

    pub(crate) fn marker(&self) -> &Marker<'_> {
        self.marker
    }

    /// Says whether a pack is surely no part of a run that has not published yet.
    pub(crate) fn is_old(&self, number: u32) -> bool {
        let since = self.inventory.now.checked_sub(self.options.young);
        let since = since.unwrap_or(self.inventory.now);
        self.inventory.table.pack(number).written <= seconds(since)
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.repository.shared
    }

    fn cancelled(&self) -> Result<(), RepositoryError> {
        match self.observer.cancelled() {
            false => Ok(()),
            true => Err(RepositoryError::new(
                RepositoryErrorKind::Cancelled,
                "cancelled",
            )),
        }
    }

    /// Fills in what the marks say.
    fn count(&mut self) -> Result<(), RepositoryError> {
        let table = &self.inventory.table;
        let report = &mut self.report;
        report.dry_run = self.options.dry_run;
        report.foreign_condemned = self.inventory.foreign_condemned;
        report.points = self.inventory.points.len() as u64;
        report.nodes = self.marker.visited.len();
        report.mark_memory_bytes =
            (table.memory_bytes() + self.marker.visited.memory_bytes()) as u64;
        for (number, pack) in table.iter() {
            let size_bytes = u64::from(pack.size_bytes);
            report.packs += 1;
            report.pack_bytes += size_bytes;
            if table.reached(number) {
                report.needed_packs += 1;
                report.needed_bytes += size_bytes;
                report.alive_bytes += table.alive_bytes(number);
            }
        }
        let missing = self.marker.missing.lock();
        let missing: Vec<_> = missing
            .unwrap_or_else(PoisonError::into_inner)
            .keys()
            .copied()
            .collect();
        for pack in missing {
            // It may have been moved since the listing.
            let (mut moved, object) = (false, pack.object_name());
            let prefix = crate::format::forward_prefix(pack);
            let store = &self.repository.shared.store;
            store.list(&prefix, &mut |_| moved = true)?;
            if !moved && store.size_bytes(&object).is_err() {
                self.report.missing_packs += 1;
            }
        }
        Ok(())
    }

    fn note_condemned(&mut self) -> Result<(), RepositoryError> {
        let inventory = self.inventory;
        for object in &inventory.condemned {
            for pack in &object.content.packs {
                let Some(number) = inventory.table.number(pack) else {
                    continue;
                };
                let ours = match inventory.listers.get(&number) {
                    // No index loses it.
                    None => true,
                    Some(lister) if *lister == Some(object.domain) => true,
                    Some(_) => self.owner(number)? == Some(object.domain),
                };
                if ours {
                    self.condemned.insert(number);
                }
            }
        }
        Ok(())
    }

    /// Returns whose a pack is; `None` for one that is to be left alone.
    ///
    /// The pack's own header is asked, whatever indexes list it: indexes and condemned objects are
    /// the word of a domain, which may speak of its own packs alone.
    fn owner(&mut self, number: u32) -> Result<Option<DomainId>, RepositoryError> {
        if let Some(owner) = self.owners.get(&number) {
            return Ok(*owner);
        }
        let owner = owner_by_header(self.shared(), self.inventory, number)?;
        self.owners.insert(number, owner);
        Ok(owner)
    }

    /// Marks what points need that were published since the points were listed.
    fn mark_new_points(&self) -> Result<(), RepositoryError> {
        let known: HashSet<&String> = self.inventory.points.iter().collect();
        let mut points = list_points(self.shared())?;
        points.retain(|point| !known.contains(point));
        self.marker.mark_points(&points, self.observer)
    }

    /// Deletes what these objects condemned and nothing reaches.
    fn delete(&mut self, objects: &[CondemnedObject]) -> Result<(), RepositoryError> {
        let table = &self.inventory.table;
        let mut doomed: Vec<(u32, DomainId)> = Vec::new();
        let mut seen = HashSet::new();
        for object in objects {
            for pack in &object.content.packs {
                let Some(number) = table.number(pack).filter(|number| seen.insert(*number)) else {
                    continue;
                };
                if table.reached(number) {
                    self.report.pardoned_packs += 1;
                } else {
                    doomed.push((number, object.domain));
                }
            }
        }
        self.delete_packs(&doomed)?;
        self.delete_forwards(objects)
    }

    fn delete_packs(&mut self, doomed: &[(u32, DomainId)]) -> Result<(), RepositoryError> {
        let table = &self.inventory.table;
        let (deleted, locked) = (Mutex::new(HashSet::new()), AtomicU64::new(0));
        let total = doomed.len() as u64;
        let this = &*self;
        for_each(doomed, REQUESTS, |done, (number, domain)| {
            this.cancelled()?;
            this.observer
                .advanced(CollectStage::Deleting, done as u64 + 1, total);
            let owner = match this.owners.get(number) {
                Some(owner) => *owner,
                None => owner_by_header(this.shared(), this.inventory, *number)?,
            };
            if owner != Some(*domain) {
                return Ok(());
            }
            let gone = match this.options.dry_run {
                true => true,
                false => this.remove(&table.pack(*number).id.object_name())?,
            };
            if gone {
                let mut deleted = deleted.lock().unwrap_or_else(PoisonError::into_inner);
                deleted.insert(*number);
            } else {
                locked.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        })?;
        let deleted = deleted.into_inner().unwrap_or_else(PoisonError::into_inner);
        let sizes = deleted.iter().map(|number| table.pack(*number).size_bytes);
        self.report.deleted_bytes += sizes.map(u64::from).sum::<u64>();
        self.report.deleted_packs += deleted.len() as u64;
        self.report.locked_packs += locked.into_inner();
        self.deleted.extend(deleted);
        Ok(())
    }

    fn delete_forwards(&mut self, objects: &[CondemnedObject]) -> Result<(), RepositoryError> {
        let forwards = &self.inventory.forwards.objects;
        for object in objects {
            for name in &object.content.forwards {
                let found = forwards.binary_search_by(|forward| forward.info.name.cmp(name));
                let Ok(found) = found else { continue };
                let forward = &forwards[found];
                if forward.reached() || forward.domain != object.domain {
                    continue;
                }
                if self.options.dry_run || self.remove(name)? {
                    self.report.deleted_forwards += u64::from(self.deleted_forwards.insert(found));
                }
            }
        }
        Ok(())
    }

    /// Removes an object; returns whether it is gone, which it is not where the store keeps it.
    pub(crate) fn remove(&self, object: &str) -> Result<bool, RepositoryError> {
        match self.shared().store.remove(object) {
            Err(error) if error.kind() == StoreErrorKind::Locked => Ok(false),
            Err(error) if error.kind() == StoreErrorKind::NotFound => Ok(true),
            result => Ok(result.map(|()| true)?),
        }
    }

    /// Says whether nothing is left of what an object condemned.
    fn is_done(&self, object: &CondemnedObject) -> bool {
        let (table, forwards) = (&self.inventory.table, &self.inventory.forwards.objects);
        let packs_gone = object.content.packs.iter().all(|pack| {
            let number = table.number(pack);
            number.is_none_or(|number| self.deleted.contains(&number))
        });
        let forwards_gone = object.content.forwards.iter().all(|name| {
            let found = forwards.binary_search_by(|forward| forward.info.name.cmp(name));
            found.is_err() || found.is_ok_and(|number| self.deleted_forwards.contains(&number))
        });
        packs_gone && forwards_gone
    }

    /// Writes down of which condemned objects nothing is left.
    fn note_done(&self, objects: &[CondemnedObject]) -> Result<(), RepositoryError> {
        if self.options.dry_run {
            return Ok(());
        }
        let said: HashSet<&String> = self
            .inventory
            .condemned
            .iter()
            .flat_map(|object| &object.content.done)
            .collect();
        let mut done: HashMap<DomainId, Vec<String>> = HashMap::new();
        for object in objects {
            let names_something =
                !object.content.packs.is_empty() || !object.content.forwards.is_empty();
            if names_something && !said.contains(&object.object) && self.is_done(object) {
                let of_domain = done.entry(object.domain).or_default();
                of_domain.push(object.object.clone());
            }
        }
        for (domain, done) in done {
            let content = Condemned {
                marked: timestamp(self.inventory.now)?,
                done,
                ..Condemned::default()
            };
            let put = self.shared().of_domain(domain)?.put_condemned(&content);
            // On a full disk this can wait.
            put.map(drop).or_else(ignore_full)?;
        }
        Ok(())
    }

    /// Writes down what nothing reaches and is not young.
    fn condemn(&mut self) -> Result<Vec<CondemnedObject>, RepositoryError> {
        let mut packs: HashMap<DomainId, Condemned> = HashMap::new();
        let young = match self.options.no_other_writers {
            true => Duration::ZERO,
            false => self.options.young,
        };
        let (inventory, now) = (self.inventory, self.inventory.now);
        let table = &inventory.table;
        let young_since = |domain| seconds(inventory.runs.young_since(domain, young, now));
        self.ask_headers(young)?;
        for (number, pack) in table.iter() {
            let size_bytes = u64::from(pack.size_bytes);
            if self.condemned.contains(&number) {
                if !self.deleted.contains(&number) && !table.reached(number) {
                    self.report.waiting_packs += 1;
                    self.report.waiting_bytes += size_bytes;
                }
                continue;
            }
            if table.reached(number) && !self.rewritten.contains(&number) {
                continue;
            }
            // The header is not asked of what is young by any measure.
            let surely_young = !self.options.no_other_writers
                && pack.written > seconds(now.checked_sub(young).unwrap_or(now));
            let owner = if surely_young {
                None
            } else {
                self.owner(number)?
            };
            match owner {
                Some(domain)
                    if self.options.no_other_writers || pack.written <= young_since(domain) =>
                {
                    self.report.condemned_packs += 1;
                    self.report.condemned_bytes += size_bytes;
                    packs.entry(domain).or_default().packs.push(pack.id);
                }
                None if !surely_young => self.report.foreign_packs += 1,
                _ => {
                    self.report.young_packs += 1;
                    self.report.young_bytes += size_bytes;
                }
            }
        }
        let named: HashSet<&String> = inventory
            .condemned
            .iter()
            .flat_map(|object| &object.content.forwards)
            .collect();
        for forward in &inventory.forwards.objects {
            let since = inventory.runs.young_since(forward.domain, young, now);
            let old = self.options.no_other_writers || forward.info.modified <= since;
            if old && !forward.reached() && !named.contains(&forward.info.name) {
                let condemned = packs.entry(forward.domain).or_default();
                condemned.forwards.push(forward.info.name.clone());
            }
        }
        let put = self.put_all_condemned(packs)?;
        self.condemned.extend(
            put.iter()
                .flat_map(|object| &object.content.packs)
                .filter_map(|pack| table.number(pack)),
        );
        self.say_next_deletion(!put.is_empty());
        Ok(put)
    }

    /// Asks the headers of all that may be condemned, several at once.
    fn ask_headers(&mut self, young: Duration) -> Result<(), RepositoryError> {
        let (inventory, table) = (self.inventory, &self.inventory.table);
        let old_since = seconds(inventory.now.checked_sub(young).unwrap_or(inventory.now));
        let candidates = table.iter().filter(|(number, pack)| {
            let needed = table.reached(*number) && !self.rewritten.contains(number);
            let young = !self.options.no_other_writers && pack.written > old_since;
            let known = self.condemned.contains(number) || self.owners.contains_key(number);
            !needed && !young && !known
        });
        let candidates: Vec<u32> = candidates.map(|(number, _)| number).collect();
        let owners = Mutex::new(HashMap::new());
        for_each(&candidates, REQUESTS, |_, number| {
            self.cancelled()?;
            let owner = owner_by_header(self.shared(), inventory, *number)?;
            let mut owners = owners.lock().unwrap_or_else(PoisonError::into_inner);
            owners.insert(*number, owner);
            Ok(())
        })?;
        let owners = owners.into_inner();
        self.owners
            .extend(owners.unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }

    fn say_next_deletion(&mut self, condemned_now: bool) {
        let now = self.inventory.now;
        let grace = self.options.grace;
        let waiting = self.inventory.condemned.iter().filter(|object| {
            !is_older(object.written, grace, now) && !object.content.packs.is_empty()
        });
        let times = waiting.map(|object| object.written);
        let times = times.chain(condemned_now.then_some(now));
        self.report.next_deletion = times.min().map(|time| time + grace);
    }

    fn put_all_condemned(
        &mut self,
        condemned: HashMap<DomainId, Condemned>,
    ) -> Result<Vec<CondemnedObject>, RepositoryError> {
        let mut put = Vec::new();
        for (domain, all) in condemned {
            let mut forwards = Some(all.forwards);
            let parts: Vec<&[_]> = match all.packs.is_empty() {
                true => vec![&[]],
                false => all.packs.chunks(PACKS_MAX).collect(),
            };
            for part in parts {
                let content = Condemned {
                    marked: timestamp(self.inventory.now)?,
                    packs: part.to_vec(),
                    forwards: forwards.take().unwrap_or_default(),
                    done: Vec::new(),
                };
                self.put_condemned(domain, content, &mut put)?;
            }
        }
        Ok(put)
    }

    /// Writes one condemned object; where there is no room, smaller ones as far as they go.
    fn put_condemned(
        &mut self,
        domain: DomainId,
        content: Condemned,
        put: &mut Vec<CondemnedObject>,
    ) -> Result<(), RepositoryError> {
        let shared = self.shared().of_domain(domain)?;
        let written = self.inventory.now;
        let dry_run = self.options.dry_run;
        let mut write = |content: Condemned| {
            let object = match dry_run {
                true => String::new(),
                false => shared.put_condemned(&content)?,
            };
            put.push(CondemnedObject {
                object,
                domain,
                written,
                content,
            });
            Ok(())
        };
        let full = |error: &RepositoryError| error.kind() == RepositoryErrorKind::NoSpace;
        let result = match write(content.clone()) {
            Err(error) if full(&error) && content.packs.len() > PACKS_MAX_FULL => {
                content.packs.chunks(PACKS_MAX_FULL).try_for_each(|packs| {
                    write(Condemned {
                        marked: content.marked,
                        packs: packs.to_vec(),
                        ..Condemned::default()
                    })
                })
            }
            result => result,
        };
        match result {
            Err(error) if full(&error) => {
                self.report.store_is_full = true;
                Ok(())
            }
            result => result,
        }
    }

    /// Removes condemned objects of which nothing has been left for a grace, and runs that said
    /// nothing for days.
    fn forget(&mut self) -> Result<(), RepositoryError> {
        if self.options.dry_run {
            return Ok(());
        }
        let inventory = self.inventory;
        let listed: HashSet<_> = inventory
            .indexes
            .iter()
            .flat_map(|index| &index.gone_packs)
            .collect();
        for object in &inventory.condemned {
            let done = &object.content.done;
            if done.is_empty() || !is_older(object.written, GRACE_MIN, inventory.now) {
                continue;
            }
            let mut all = true;
            for condemned in &inventory.condemned {
                if !done.contains(&condemned.object) || condemned.domain != object.domain {
                    continue;
                }
                let unlisted = condemned.content.packs.iter().all(|p| !listed.contains(p));
                all &= unlisted && self.is_done(condemned) && self.remove(&condemned.object)?;
            }
            if all {
                self.remove(&object.object)?;
            }
        }
        for run in &inventory.runs.forgotten {
            self.remove(run)?;
        }
        Ok(())
    }
}

/// Asks a pack's header whose it is. `None`: it is of a domain that we do not hold, cannot be read,
/// or is gone.
fn owner_by_header(
    shared: &Arc<Shared>,
    inventory: &Inventory,
    number: u32,
) -> Result<Option<DomainId>, RepositoryError> {
    let pack = inventory.table.pack(number).id;
    let mut bytes = [0; HEADER_BYTES];
    match shared.store.get_range(&pack.object_name(), 0, &mut bytes) {
        Err(error)
            if matches!(
                error.kind(),
                StoreErrorKind::NotFound | StoreErrorKind::WrongSize
            ) =>
        {
            return Ok(None);
        }
        result => result?,
    }
    let Ok(header) = Header::parse(&bytes, pack) else {
        return Ok(None);
    };
    match shared.domain_of(header.domain) {
        Ok(domain) => Ok(Some(domain.id)),
        Err(error) if error.kind() == RepositoryErrorKind::OtherDomain => Ok(None),
        Err(error) => Err(error),
    }
}

fn ignore_full(error: RepositoryError) -> Result<(), RepositoryError> {
    match error.kind() {
        RepositoryErrorKind::NoSpace => Ok(()),
        _ => Err(error),
    }
}
