//! Deleting what was condemned a grace ago, and forgetting that it was there.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use object_store::StoreErrorKind;

use crate::collect::CollectStage;
use crate::collect::collector::Collection;
use crate::collect::condemned_objects::{CondemnedObject, timestamp};
use crate::collect::inventory::is_older;
use crate::collect::options::GRACE_MIN;
use crate::collect::pack_owners::owner_by_header;
use crate::collect::parallel::{REQUESTS, for_each};
use crate::format::Condemned;
use crate::keys::DomainId;
use crate::{RepositoryError, RepositoryErrorKind};

impl Collection<'_> {
    /// Deletes what these objects condemned and nothing reaches.
    pub(super) fn delete(&mut self, objects: &[CondemnedObject]) -> Result<(), RepositoryError> {
        let table = &self.inventory.table;
        // Several domains may name a pack; only its own one's word counts, so all are asked.
        let mut doomed: Vec<(u32, DomainId)> = Vec::new();
        let (mut seen, mut pardoned) = (HashSet::new(), HashSet::new());
        for object in objects {
            for pack in &object.content.packs {
                let Some(number) = table.number(pack) else {
                    continue;
                };
                if table.reached(number) {
                    pardoned.insert(number);
                } else if seen.insert((number, object.domain)) {
                    doomed.push((number, object.domain));
                }
            }
        }
        self.report.pardoned_packs += pardoned.len() as u64;
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
    pub(super) fn note_done(&self, objects: &[CondemnedObject]) -> Result<(), RepositoryError> {
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

    /// Removes condemned objects of which nothing has been left for a grace, and runs that said
    /// nothing for days.
    pub(super) fn forget(&mut self) -> Result<(), RepositoryError> {
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

fn ignore_full(error: RepositoryError) -> Result<(), RepositoryError> {
    match error.kind() {
        RepositoryErrorKind::NoSpace => Ok(()),
        _ => Err(error),
    }
}
