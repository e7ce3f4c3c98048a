//! One collection, from the listing to the report.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use crate::collect::condemned_objects::CondemnedObject;
use crate::collect::inventory::{Inventory, is_older, list_points, seconds};
use crate::collect::marker::Marker;
use crate::collect::options::GRACE_MIN;
use crate::collect::visited_nodes::VisitedNodes;
use crate::collect::{CollectObserver, CollectOptions, CollectReport, CollectStage};
use crate::domain_view::Shared;
use crate::features;
use crate::keys::DomainId;
use crate::{Repository, RepositoryError, RepositoryErrorKind};

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
    pub(super) marker: &'a Marker<'a>,
    /// Whose a pack is by its own header; `None` for one that is to be left alone.
    pub(super) owners: HashMap<u32, Option<DomainId>>,
    /// Packs whose live frames were moved.
    pub(super) rewritten: HashSet<u32>,
    /// Packs that condemned objects name, of whatever age.
    pub(crate) condemned: HashSet<u32>,
    pub(super) deleted: HashSet<u32>,
    pub(super) deleted_forwards: HashSet<usize>,
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

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.repository.shared
    }

    pub(super) fn cancelled(&self) -> Result<(), RepositoryError> {
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

    /// Marks what points need that were published since the points were listed.
    fn mark_new_points(&self) -> Result<(), RepositoryError> {
        let known: HashSet<&String> = self.inventory.points.iter().collect();
        let mut points = list_points(self.shared())?;
        points.retain(|point| !known.contains(point));
        self.marker.mark_points(&points, self.observer)
    }
}
