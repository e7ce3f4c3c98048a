//! Makes the best of a damaged repository (format page, section 11).
//!
//! ```text
//!   damaged pack ──whole frames──► new pack ──► forwarding object ──► quarantine ──► removed
//!   lost frame ──its name──► index: is it elsewhere? ──yes──► forwarding object
//!                                                     └─no──► lost/, for the next backup to heal
//! ```
//!
//! Every step adds something before another takes something away, so a repair may die anywhere, and
//! the next one carries on. Nothing that can be read is ever made unreadable: a pack goes when what
//! is whole of it is durable elsewhere and its bytes lie in quarantine.

mod healing;
mod plan;
mod salvage;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use object_store::StoreErrorKind;

pub use plan::{KeptObject, RepairPlan, RepairReport};

use crate::domain_view::Shared;
use crate::features::refuse_unknown_features;
use crate::format::{LostFrame, PackId, SEALED_BYTES_MAX};
use crate::maintain::VerifyObserver;
use crate::maintain::check::{CheckDepth, Findings, PackSurvey, TriedFrame};
use crate::maintain::repair::healing::is_refused;
use crate::maintain::repair::plan::Found;
use crate::maintain::repair::salvage::{Candidates, Salvage};
use crate::write::{IndexWriter, KnownChunks};
use crate::{Repository, RepositoryError};

/// The most that is copied to quarantine, in bytes: the largest pack that parameters allow, and
/// its trailer.
const QUARANTINE_BYTES_MAX: u64 = (1 << 30) + (128 << 20);
/// Objects that can be done without: they are made anew, or say again what is known elsewhere.
const SPARE: [&str; 5] = ["rollups/", "condemned/", "runs/", "forward/", "lost/"];

impl Repository {
    /// Checks the repository and says what a repair would do. Nothing is changed.
    pub fn plan_repair(
        &self,
        depth: impl Into<CheckDepth>,
        observer: &dyn VerifyObserver,
    ) -> Result<RepairPlan, RepositoryError> {
        self.shared.master("repair the repository")?;
        let findings = Findings::default();
        let (points, unreadable) = self.points()?;
        for error in &unreadable {
            findings.add(error)?;
        }
        let packs = PackSurvey::read(&self.shared, depth.into(), &findings, observer)?;
        let tried = Mutex::new(Vec::new());
        self.walk_points(&points, &packs, &findings, observer, &|domain, frame| {
            let mut tried = tried.lock().unwrap_or_else(PoisonError::into_inner);
            tried.push((domain, frame));
        })?;
        self.check_small_objects(&findings, observer)?;
        let tried = tried.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut found = Found::default();
        let mut missing = BTreeSet::new();
        for (domain, TriedFrame { name, place, lost }) in tried {
            found.owners.insert(place.pack, domain);
            if lost {
                let of_domain = found.lost.entry(domain).or_default();
                of_domain.push(LostFrame { name, place });
            }
            if packs.is_there(place.pack) {
                let needed = found.needed.entry(place.pack).or_default();
                needed.insert(place.offset, (name, place.stored_bytes));
            } else if lost {
                missing.insert(place.pack);
            }
        }
        found.packs = packs;
        let check = findings.into_report();
        found.foreign = check.other_domains > 0;
        let objects = check
            .damage
            .iter()
            .filter_map(|damage| damage.object.clone());
        let objects: BTreeSet<String> = objects.collect();
        let known =
            |object: &&String| !object.starts_with("packs/") && !object.starts_with("index/");
        let spare = |object: &&String| SPARE.iter().any(|folder| object.starts_with(folder));
        Ok(RepairPlan {
            damaged_packs: names(found.suspects().into_keys()),
            missing_packs: names(missing),
            indexes: found.indexes_to_replace().into_iter().collect(),
            unlisted_packs: found.packs.unlisted(),
            lost_frames: found.lost.values().map(|lost| lost.len() as u64).sum(),
            spare_objects: objects.iter().filter(spare).cloned().collect(),
            beyond_repair: objects
                .iter()
                .filter(known)
                .filter(|object| !spare(object))
                .cloned()
                .collect(),
            check,
            found,
        })
    }

    /// Does what a plan says, and checks the structure again.
    ///
    /// It may fail anywhere, and be planned and run again.
    pub fn repair(
        &self,
        plan: &RepairPlan,
        observer: &dyn VerifyObserver,
    ) -> Result<RepairReport, RepositoryError> {
        self.shared.master("repair the repository")?;
        refuse_unknown_features(&*self.shared.store, "features/")?;
        let mut repair = Repair {
            plan,
            report: RepairReport::default(),
            done: HashSet::new(),
            quarantined: BTreeMap::new(),
        };
        for shared in self.shared.all_domains()? {
            repair.domain(&shared)?;
        }
        repair.spare_objects(&self.shared)?;
        repair.name_the_rest();
        repair.report.after = self.check(CheckDepth::Structure, observer)?;
        Ok(repair.report)
    }
}

fn names(packs: impl IntoIterator<Item = PackId>) -> Vec<String> {
    packs.into_iter().map(PackId::object_name).collect()
}

struct Repair<'a> {
    plan: &'a RepairPlan,
    report: RepairReport,
    /// Damaged packs that were dealt with.
    done: HashSet<PackId>,
    /// Packs whose bytes are in quarantine.
    quarantined: BTreeMap<PackId, String>,
}

impl Repair<'_> {
    /// Repairs what belongs to one domain.
    fn domain(&mut self, shared: &Arc<Shared>) -> Result<(), RepositoryError> {
        let ours = self.salvage(shared)?;
        let indexes = self.indexes_of(shared);
        let known = self.write_indexes(shared, &ours, &indexes)?;
        self.heal(shared, &known)?;
        for pack in &ours {
            if self.quarantined.contains_key(pack) {
                self.remove(shared, &pack.object_name())?;
            }
        }
        for index in &indexes {
            self.remove(shared, index)?;
        }
        Ok(())
    }

    /// Takes what is whole out of the damaged packs of a domain, and puts them into quarantine.
    /// Returns the packs.
    fn salvage(&mut self, shared: &Arc<Shared>) -> Result<Vec<PackId>, RepositoryError> {
        let found = &self.plan.found;
        let mut salvage = Salvage::new(shared);
        let mut ours = Vec::new();
        for (pack, size_bytes) in found.suspects() {
            if self.done.contains(&pack) {
                continue;
            }
            let object = pack.object_name();
            if size_bytes > QUARANTINE_BYTES_MAX {
                continue;
            }
            let bytes = match shared.store.get(&object, QUARANTINE_BYTES_MAX) {
                // Somebody else has removed it.
                Err(error) if error.kind() == StoreErrorKind::NotFound => continue,
                result => result?,
            };
            let candidates = self.candidates(shared, pack)?;
            let salvaged = salvage.take(pack, &bytes, &candidates)?;
            self.report.salvaged_frames += self.salvage_misnamed(&mut salvage, pack, &bytes)?;
            let known_owner = found
                .owners
                .get(&pack)
                .copied()
                .or_else(|| self.lister(pack));
            let is_ours = salvaged.is_some()
                || match known_owner {
                    Some(owner) => owner == shared.domain().id,
                    // With the keys of all that is here, it can be nobody else's.
                    None => !found.foreign,
                };
            if !is_ours {
                continue;
            }
            self.report.salvaged_frames += salvaged.unwrap_or(0);
            let copy = quarantine(shared, &object, &bytes)?;
            self.quarantined.insert(pack, copy.clone());
            self.report.quarantined.push(copy);
            self.done.insert(pack);
            ours.push(pack);
        }
        for (pack, mut forwards) in salvage.finish()? {
            forwards.sort_unstable_by_key(|forward| forward.old_offset);
            forwards.dedup_by_key(|forward| forward.old_offset);
            if !forwards.is_empty() {
                shared.put_forward(pack, &mut forwards)?;
            }
        }
        Ok(ours)
    }

    /// Takes what is whole out of a pack that lies under another one's name, where its own place is
    /// empty or damaged. Returns how many frames that was.
    fn salvage_misnamed(
        &self,
        salvage: &mut Salvage,
        pack: PackId,
        bytes: &[u8],
    ) -> Result<u64, RepositoryError> {
        let packs = &self.plan.found.packs;
        let own = PackId::from_header(bytes).filter(|own| *own != pack);
        match own {
            Some(own) if !packs.is_there(own) || packs.is_suspect(own) => {
                let candidates = self.candidates(salvage.shared(), own)?;
                Ok(salvage.take(own, bytes, &candidates)?.unwrap_or(0))
            }
            _ => Ok(0),
        }
    }

    /// Returns the domain of an index that lists the pack.
    fn lister(&self, pack: PackId) -> Option<crate::keys::DomainId> {
        let mut indexes = self.plan.found.packs.indexes.iter();
        let lists =
            |index: &&Arc<crate::maintain::check::IndexSurvey>| index.packs.contains_key(&pack);
        indexes.find(lists).map(|index| index.domain)
    }

    /// Returns the frames that indexes and maps say that a pack has.
    fn candidates(&self, shared: &Shared, pack: PackId) -> Result<Candidates, RepositoryError> {
        let found = &self.plan.found;
        let mut candidates = found.needed.get(&pack).cloned().unwrap_or_default();
        for index in &found.packs.indexes {
            if index.packs.contains_key(&pack) {
                index.read_entries(shared, &mut |entry| {
                    if entry.locator.pack == pack {
                        let frame = (entry.name, entry.locator.stored_bytes);
                        candidates.insert(entry.locator.offset, frame);
                    }
                })?;
            }
        }
        Ok(candidates)
    }

    /// Returns the index objects that are to go and that belong to a domain, or to nobody.
    fn indexes_of(&self, shared: &Shared) -> BTreeSet<String> {
        let found = &self.plan.found;
        let id = shared.domain().id;
        let of_others = found
            .packs
            .indexes
            .iter()
            .filter(|index| index.domain != id);
        let of_others: HashSet<&String> = of_others.map(|index| &index.object).collect();
        let mut indexes = found.indexes_to_replace();
        indexes.retain(|object| !of_others.contains(object));
        indexes
    }

    /// Writes new index objects for everything that no good index lists.
    fn write_indexes(
        &self,
        shared: &Arc<Shared>,
        removed: &[PackId],
        indexes: &BTreeSet<String>,
    ) -> Result<Arc<KnownChunks>, RepositoryError> {
        let known = Arc::new(KnownChunks::new(Arc::clone(shared)));
        // A pack that was condemned is relied on by nothing new: a collector may be about to delete
        // it. What a damaged object condemned nobody can tell; it is removed, so nobody deletes it.
        let damaged = self.plan.spare_objects.iter().cloned().collect();
        let (objects, _) = shared.condemned_objects(&damaged)?;
        for condemned in objects {
            if condemned.domain == shared.domain().id {
                known.condemn(&condemned.content);
            }
        }
        let writer = IndexWriter::new(Arc::clone(shared), Arc::clone(&known));
        let packs: HashSet<PackId> = removed.iter().copied().collect();
        writer.load_without(&|index| indexes.contains(index), &|pack| {
            packs.contains(pack)
        })?;
        Ok(known)
    }

    /// Leads readers from what is lost to where it lies as well, and writes down the rest.
    fn heal(&mut self, shared: &Arc<Shared>, known: &KnownChunks) -> Result<(), RepositoryError> {
        let no_frames = Vec::new();
        let lost = self.plan.found.lost.get(&shared.domain().id);
        let find = |name: &_| known.find(name);
        let is_usable = |place: &_| known.usable(place);
        let healing = shared.heal(lost.unwrap_or(&no_frames), &find, &is_usable)?;
        self.report.healed_frames += healing.healed;
        self.report.lost_frames += healing.lost.len() as u64;
        let old = shared.lost_objects()?;
        let said: HashSet<_> = old
            .iter()
            .filter_map(|(_, frames)| frames.as_ref().ok())
            .flatten()
            .map(|frame| (frame.place.pack, frame.place.offset))
            .collect();
        let all_said = healing.lost.len() == said.len()
            && healing
                .lost
                .iter()
                .all(|frame| said.contains(&(frame.place.pack, frame.place.offset)));
        if all_said {
            return Ok(());
        }
        shared.put_lost(&healing.lost)?;
        for (object, frames) in old {
            if frames.is_ok() {
                self.remove(shared, &object)?;
            }
        }
        Ok(())
    }

    /// Puts damaged objects aside that can be done without.
    fn spare_objects(&mut self, shared: &Arc<Shared>) -> Result<(), RepositoryError> {
        for object in &self.plan.spare_objects {
            let bytes = match shared.store.get(object, 2 * SEALED_BYTES_MAX as u64) {
                Err(error) if error.kind() == StoreErrorKind::NotFound => continue,
                Err(error) if error.kind() == StoreErrorKind::WrongSize => {
                    self.keep(object, "it is larger than such an object can be");
                    continue;
                }
                result => result?,
            };
            let copy = quarantine(shared, object, &bytes)?;
            self.report.quarantined.push(copy);
            self.remove(shared, object)?;
        }
        Ok(())
    }

    fn name_the_rest(&mut self) {
        for (pack, size_bytes) in self.plan.found.suspects() {
            if !self.done.contains(&pack) {
                let reason = if size_bytes > QUARANTINE_BYTES_MAX {
                    "it is larger than a pack can be: move it out of the repository by hand"
                } else {
                    "it cannot be told whether it belongs to a domain whose keys this key does not open"
                };
                self.keep(&pack.object_name(), reason);
            }
        }
    }

    fn keep(&mut self, object: &str, reason: &str) {
        self.report.kept.push(KeptObject {
            object: object.to_owned(),
            reason: reason.to_owned(),
        });
    }

    /// Removes a damaged object; one that the store keeps is named.
    fn remove(&mut self, shared: &Shared, object: &str) -> Result<(), RepositoryError> {
        match shared.store.remove(object) {
            Ok(()) => self.report.removed.push(object.to_owned()),
            Err(error) if is_refused(error.kind()) => {
                self.keep(object, "the store keeps it; readers do without");
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

/// Copies a damaged object to quarantine and returns the name of the copy.
fn quarantine(shared: &Shared, object: &str, bytes: &[u8]) -> Result<String, RepositoryError> {
    let hash = blake3::hash(bytes).to_hex();
    let copy = format!("quarantine/{object}/{}", &hash[..16]);
    match shared.store.put_new(&copy, bytes) {
        // The same bytes, from a repair that died.
        Err(error) if error.kind() == StoreErrorKind::Exists => Ok(copy),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(copy),
    }
}
