//! What packs there are, and what is known to be in them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use object_store::{ObjectInfo, StoreErrorKind};

use crate::domain_view::Shared;
use crate::format::{Locator, Name, PackId, TrailerEntry, forwarded_pack};
use crate::maintain::VerifyObserver;
use crate::maintain::check::damage::{is_damage, is_gone};
use crate::maintain::check::depth::CheckDepth;
use crate::maintain::check::frame_filter::FrameFilter;
use crate::maintain::check::in_parallel::in_parallel;
use crate::maintain::check::index_survey::IndexSurvey;
use crate::maintain::check::pack_read::PackRead;
use crate::maintain::check::report::Findings;
use crate::read::index_objects;
use crate::{RepositoryError, RepositoryErrorKind};

/// What is known of a pack that is there.
#[derive(Clone)]
pub(crate) enum PackState {
    /// Index or trailer say what is in it, and nothing speaks against it.
    Listed(Listing),
    /// It is not as it was written: what is needed of it must be tried.
    Suspect,
    /// It belongs to a domain whose keys we lack.
    Foreign,
}

/// Who says what a pack holds.
#[derive(Clone)]
pub(crate) enum Listing {
    Index(Arc<IndexSurvey>),
    Trailer(Arc<FrameFilter>),
}

impl Listing {
    fn may_contain(&self, name: &Name, locator: &Locator) -> bool {
        match self {
            Self::Index(index) => index.frames.may_contain(name, locator),
            Self::Trailer(frames) => frames.may_contain(name, locator),
        }
    }
}

/// Length of each pack that is there, and what is known of it.
pub(crate) type PackStates = HashMap<PackId, (u64, PackState)>;

/// What packs there are, and what is known to be in them.
#[derive(Default)]
pub(crate) struct PackSurvey {
    pub(crate) packs: PackStates,
    /// Index objects that are whole.
    pub(crate) indexes: Vec<Arc<IndexSurvey>>,
    /// Index objects that are not, or list packs that are not there: what they say is to be
    /// written anew.
    pub(crate) bad_indexes: Vec<String>,
    /// Packs of which a forwarding object says that frames lie elsewhere.
    pub(crate) forwarded: HashSet<PackId>,
    /// Frames that a repair called lost: their packs may still be there, and in an index.
    said_lost: HashSet<(PackId, u32)>,
}

/// What is to be found out about a pack.
struct Question {
    pack: PackId,
    size_bytes: u64,
    /// What an index says of it, and whether it is as long as that.
    listed: Option<(Arc<IndexSurvey>, bool)>,
}

impl PackSurvey {
    /// Reads the indexes; then lists the packs, and looks into those that no index lists, and into
    /// those that `depth` says. What is wrong goes to `findings`.
    pub(crate) fn read(
        shared: &Arc<Shared>,
        depth: CheckDepth,
        findings: &Findings,
        observer: &dyn VerifyObserver,
    ) -> Result<Self, RepositoryError> {
        // Indexes before packs: what is listed now was durable before.
        let (indexes, mut bad_indexes) = read_indexes(shared, findings, observer)?;
        let mut said_lost = HashSet::new();
        for domain in shared.all_domains()? {
            for (_, frames) in domain.lost_objects()? {
                let places = frames.iter().flatten().map(|frame| frame.place);
                said_lost.extend(places.map(|place| (place.pack, place.offset)));
            }
        }
        // Forwards before packs: who moves frames says so before the pack goes.
        let mut forwarded = HashSet::new();
        shared.store.list("forward/", &mut |object| {
            forwarded.extend(forwarded_pack(&object.name));
        })?;
        let mut objects = Vec::new();
        let list = &mut |object| objects.push(object);
        shared.store.list("packs/", list)?;
        add_unlisted_yet(shared, &indexes, &mut objects)?;
        objects.sort_unstable();
        let (packs, wrong) = ask_packs(shared, depth, &indexes, &objects, findings, observer)?;
        bad_indexes.extend(wrong);
        let missing_in = |index: &&Arc<IndexSurvey>| {
            let missing = |pack: &&PackId| !packs.contains_key(*pack);
            index.packs.keys().any(|pack| missing(&pack))
        };
        for index in indexes.iter().filter(missing_in) {
            let missing = index.packs.keys().filter(|pack| !packs.contains_key(*pack));
            let first = missing.clone().min().map(|pack| pack.object_name());
            let what = format!(
                "lists {} that the store does not have, such as {}",
                plural(missing.count(), "pack"),
                first.unwrap_or_default()
            );
            findings.add(&RepositoryError::damaged(&index.object, what))?;
            bad_indexes.push(index.object.clone());
        }
        Ok(Self {
            packs,
            indexes,
            bad_indexes,
            forwarded,
            said_lost,
        })
    }

    /// Says whether a frame is known to be where a map says. What is not known must be tried.
    pub(crate) fn has(&self, name: &Name, locator: &Locator) -> bool {
        match self.packs.get(&locator.pack) {
            Some((_, PackState::Listed(listing))) => {
                !self.said_lost.contains(&(locator.pack, locator.offset))
                    && listing.may_contain(name, locator)
            }
            _ => false,
        }
    }

    /// Says whether a pack is there and damaged.
    pub(crate) fn is_suspect(&self, pack: PackId) -> bool {
        matches!(self.packs.get(&pack), Some((_, PackState::Suspect)))
    }

    /// Returns how many packs are there, whole, and in no index.
    pub(crate) fn unlisted(&self) -> u64 {
        let listed = |pack: &PackId| {
            let mut indexes = self.indexes.iter();
            indexes.any(|index| index.packs.contains_key(pack))
        };
        let packs = self.packs.iter();
        let unlisted = packs
            .filter(|(pack, (_, state))| matches!(state, PackState::Listed(_)) && !listed(pack));
        unlisted.count() as u64
    }

    /// Says whether a pack is there.
    pub(crate) fn is_there(&self, pack: PackId) -> bool {
        self.packs.contains_key(&pack)
    }
}

/// Writes a number and a noun.
fn plural(number: usize, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{s}")
}

pub(crate) fn cancelled() -> RepositoryError {
    RepositoryError::new(RepositoryErrorKind::Cancelled, "cancelled")
}

/// Adds packs that indexes list and the listing does not show, where they are there all the same:
/// listings may lag, reading by name does not.
fn add_unlisted_yet(
    shared: &Shared,
    indexes: &[Arc<IndexSurvey>],
    objects: &mut Vec<ObjectInfo>,
) -> Result<(), RepositoryError> {
    let seen: HashSet<PackId> = objects
        .iter()
        .filter_map(|object| PackId::from_object_name(&object.name))
        .collect();
    let packs = indexes.iter().flat_map(|index| index.packs.keys());
    let unseen: BTreeSet<PackId> = packs.filter(|pack| !seen.contains(pack)).copied().collect();
    for pack in unseen {
        let name = pack.object_name();
        match shared.store.size_bytes(&name) {
            Ok(size_bytes) => objects.push(ObjectInfo {
                name,
                size_bytes,
                modified: SystemTime::UNIX_EPOCH,
            }),
            Err(error) if error.kind() == StoreErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Reads all index objects; returns the whole ones, and the names of the others that are ours.
fn read_indexes(
    shared: &Arc<Shared>,
    findings: &Findings,
    observer: &dyn VerifyObserver,
) -> Result<(Vec<Arc<IndexSurvey>>, Vec<String>), RepositoryError> {
    let objects = index_objects(&*shared.store)?;
    let (good, bad) = (Mutex::default(), Mutex::default());
    in_parallel(&objects, || {
        |(object, id, size_bytes): &(String, PackId, u64)| {
            if observer.cancelled() {
                return Err(cancelled());
            }
            let push = |to: &Mutex<Vec<_>>, one| {
                to.lock().unwrap_or_else(PoisonError::into_inner).push(one);
            };
            match IndexSurvey::read(shared, object, *id, *size_bytes) {
                Ok(index) => push(&good, Arc::new(index)),
                // Removed since it was listed.
                Err(error) if is_gone(&error) => {}
                Err(error) => {
                    if is_damage(&error) {
                        let mut bad: std::sync::MutexGuard<'_, Vec<String>> =
                            bad.lock().unwrap_or_else(PoisonError::into_inner);
                        bad.push(object.clone());
                    }
                    findings.add(&error)?;
                }
            }
            Ok(())
        }
    })?;
    let good = good.into_inner().unwrap_or_else(PoisonError::into_inner);
    let bad = bad.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok((good, bad))
}

/// Finds out about each pack of a listing, and which indexes say something else of them.
fn ask_packs(
    shared: &Arc<Shared>,
    depth: CheckDepth,
    indexes: &[Arc<IndexSurvey>],
    objects: &[ObjectInfo],
    findings: &Findings,
    observer: &dyn VerifyObserver,
) -> Result<(PackStates, BTreeSet<String>), RepositoryError> {
    let mut listed: HashMap<PackId, (&Arc<IndexSurvey>, u64)> = HashMap::new();
    for index in indexes {
        listed.extend(index.packs.iter().map(|(pack, len)| (*pack, (index, *len))));
    }
    let (mut packs, mut questions) = (HashMap::new(), Vec::new());
    for object in objects {
        let Some(pack) = PackId::from_object_name(&object.name) else {
            let what = "this is not the name of a pack";
            findings.add(&RepositoryError::damaged(&object.name, what))?;
            continue;
        };
        let size_bytes = object.size_bytes;
        let index = listed.get(&pack).map(|(index, expected)| {
            let fits = *expected == size_bytes;
            (Arc::clone(index), fits)
        });
        match index {
            Some((index, true)) if !depth.reads(pack) => {
                let state = PackState::Listed(Listing::Index(index));
                packs.insert(pack, (size_bytes, state));
            }
            listed => questions.push(Question {
                pack,
                size_bytes,
                listed,
            }),
        }
    }
    findings.lock().packs = objects.len() as u64;
    let (answers, wrong) = (Mutex::new(packs), Mutex::new(BTreeSet::new()));
    in_parallel(&questions, || {
        let mut reader = PackRead::new(shared);
        let (answers, wrong) = (&answers, &wrong);
        move |question: &Question| {
            if observer.cancelled() {
                return Err(cancelled());
            }
            let entries = if depth.reads(question.pack) {
                let entries = read_whole(&mut reader, question, findings);
                observer.advanced(question.size_bytes);
                entries
            } else {
                let trailer = shared.read_trailer(question.pack, question.size_bytes);
                trailer.map(|(_, entries)| entries)
            };
            if let (Ok(entries), Some((index, fits))) = (&entries, &question.listed)
                && !(*fits && index_agrees(index, question.pack, entries))
            {
                let object = question.pack.object_name();
                let what = format!("says something else of {object} than the pack does");
                findings.add(&RepositoryError::damaged(&index.object, what))?;
                let mut wrong = wrong.lock().unwrap_or_else(PoisonError::into_inner);
                wrong.insert(index.object.clone());
            }
            if entries.as_ref().is_err_and(is_gone) {
                return Ok(());
            }
            let state = state_of(entries, findings)?;
            let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
            answers.insert(question.pack, (question.size_bytes, state));
            Ok(())
        }
    })?;
    let packs = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    let wrong = wrong.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok((packs, wrong))
}

/// Reads a pack whole.
fn read_whole(
    reader: &mut PackRead<'_>,
    question: &Question,
    findings: &Findings,
) -> Result<Vec<TrailerEntry>, RepositoryError> {
    let content = reader.read(question.pack, question.size_bytes);
    let mut report = findings.lock();
    report.packs_read += 1;
    report.read_bytes += question.size_bytes;
    report.frames += content.as_ref().map_or(0, |c| c.entries.len() as u64);
    let content = content?;
    match content.wrong {
        Some(error) => Err(error.in_object(&question.pack.object_name())),
        None => Ok(content.entries),
    }
}

/// Says whether an index has every frame of a pack where the pack has it.
fn index_agrees(index: &IndexSurvey, pack: PackId, entries: &[TrailerEntry]) -> bool {
    entries.iter().all(|entry| {
        let locator = Locator {
            pack,
            offset: entry.offset,
            stored_bytes: entry.stored_bytes,
        };
        index.frames.may_contain(&entry.name, &locator)
    })
}

/// Turns what a trailer says, or why it cannot be read, into what is known of the pack.
fn state_of(
    entries: Result<Vec<TrailerEntry>, RepositoryError>,
    findings: &Findings,
) -> Result<PackState, RepositoryError> {
    match entries {
        Ok(entries) => {
            let mut frames = FrameFilter::with_capacity(entries.len());
            for entry in &entries {
                frames.insert(&entry.name, entry.offset, entry.stored_bytes);
            }
            Ok(PackState::Listed(Listing::Trailer(Arc::new(frames))))
        }
        Err(error) if error.kind() == RepositoryErrorKind::OtherDomain => {
            findings.add(&error)?;
            Ok(PackState::Foreign)
        }
        Err(error) => {
            findings.add(&error)?;
            Ok(PackState::Suspect)
        }
    }
}
