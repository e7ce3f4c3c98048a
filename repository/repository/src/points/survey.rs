//! Looking at all points and notes, through roll-ups as far as there are any.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use object_store::{ObjectStore, StoreErrorKind};

use crate::format::{Naming, SEALED_BYTES_MAX};
use crate::keys::DomainId;
use crate::points::PointSummary;
use crate::points::note::point_of_note;
use crate::points::point_notes::HeardNote;
use crate::points::roll_up::RollUp;
use crate::{Repository, RepositoryError, RepositoryErrorKind};

/// How often everything is listed because a roll-up that was listed is gone.
const ROUNDS: usize = 4;
/// Objects that are read at the same time: a store far away takes its time for each.
const READERS: usize = 8;

/// What is known of all points and notes.
#[derive(Default)]
pub(crate) struct Survey {
    /// Objects that there are, with the time at which the store says they were written.
    pub(crate) listing: Listing,
    /// Points by object.
    pub(crate) points: HashMap<String, KnownPoint>,
    /// Notes by object.
    pub(crate) notes: HashMap<String, HeardNote>,
    /// Roll-ups that could be read.
    pub(crate) roll_ups: Vec<ReadRollUp>,
    /// Roll-ups that are not as they were written.
    pub(crate) damaged_roll_ups: Vec<String>,
    /// Points that cannot be read.
    pub(crate) unreadable: Vec<RepositoryError>,
    /// Points of domains that this key does not open.
    pub(crate) foreign: u64,
    /// VMs of which roll-ups are not believed.
    read_anew: HashSet<String>,
    /// Notes that only roll-ups told of so far, with the domain of the roll-up.
    rolled_notes: HashMap<String, DomainId>,
}

/// What there is.
#[derive(Default)]
pub(crate) struct Listing {
    pub(crate) roll_ups: BTreeMap<String, SystemTime>,
    pub(crate) notes: BTreeMap<String, SystemTime>,
    pub(crate) points: BTreeMap<String, SystemTime>,
}

/// A point of which at least the summary is known.
pub(crate) struct KnownPoint {
    pub(crate) domain: DomainId,
    pub(crate) summary: PointSummary,
}

/// A roll-up, without what is known from it.
pub(crate) struct ReadRollUp {
    pub(crate) object: String,
    pub(crate) domain: DomainId,
    pub(crate) replaces: Vec<String>,
    /// What it tells of that is still there.
    pub(crate) members: HashSet<String>,
}

/// What reading one object came to.
enum Read<T> {
    Done(T),
    /// It was listed, and is gone.
    Gone,
    Failed(RepositoryError),
}

impl Listing {
    /// Notes before points: one that is listed before its point is removed is of no point then.
    fn take(store: &dyn ObjectStore) -> Result<Self, RepositoryError> {
        let mut listing = Self::default();
        let list = |prefix: &str, target: &mut BTreeMap<String, SystemTime>| {
            store.list(prefix, &mut |object| {
                target.insert(object.name, object.modified);
            })
        };
        list("rollups/", &mut listing.roll_ups)?;
        list("notes/", &mut listing.notes)?;
        list("points/", &mut listing.points)?;
        Ok(listing)
    }
}

impl Survey {
    /// Looks at everything. What roll-ups say of points and notes of the VMs in `read_anew`, by
    /// identity, is not believed: those are read themselves.
    pub(crate) fn take(
        repository: &Repository,
        read_anew: &HashSet<String>,
    ) -> Result<Self, RepositoryError> {
        // What another host wrote meanwhile may lie under keys that are newer than this handle.
        repository.shared.reload_keys()?;
        let mut survey = Self {
            read_anew: read_anew.clone(),
            ..Self::default()
        };
        for round in 1..=ROUNDS {
            survey.listing = Listing::take(&*repository.shared.store)?;
            survey.roll_ups.clear();
            survey.damaged_roll_ups.clear();
            let last = round == ROUNDS;
            if survey.read_roll_ups(repository, last)? {
                break;
            }
        }
        survey.read_rest_of_points(repository);
        survey.doubt_notes();
        survey.read_rest_of_notes(repository);
        survey.forget_what_is_gone();
        Ok(survey)
    }

    /// Reads the roll-ups, newest first. Returns false where one is gone.
    fn read_roll_ups(
        &mut self,
        repository: &Repository,
        last: bool,
    ) -> Result<bool, RepositoryError> {
        let mut by_age: Vec<(SystemTime, String)> = self
            .listing
            .roll_ups
            .iter()
            .map(|(object, written)| (*written, object.clone()))
            .collect();
        by_age.sort_unstable_by(|one, other| other.cmp(one));
        let mut replaced: HashSet<String> = HashSet::new();
        for (_, object) in by_age {
            if replaced.contains(&object) {
                continue;
            }
            let open = |object: &str, bytes: &[u8]| RollUp::open(&repository.shared, object, bytes);
            match read_one(repository, &object, open) {
                Read::Done((domain, roll_up)) => {
                    replaced.extend(roll_up.replaces.iter().cloned());
                    self.take_in(repository, object, domain, roll_up)?;
                }
                Read::Gone if !last => return Ok(false),
                Read::Gone => {}
                // The points and notes say the same.
                Read::Failed(error) => {
                    if error.kind() == RepositoryErrorKind::Damaged {
                        self.damaged_roll_ups.push(object);
                    }
                }
            }
        }
        Ok(true)
    }

    /// Believes a roll-up what it may say: of points that lie where its domain puts them.
    fn take_in(
        &mut self,
        repository: &Repository,
        object: String,
        domain: DomainId,
        roll_up: RollUp,
    ) -> Result<(), RepositoryError> {
        let naming = Naming::of(&repository.shared.domain_of(domain)?);
        let mut groups: HashMap<String, String> = HashMap::new();
        let mut members = HashSet::new();
        for summary in roll_up.points {
            if !self.listing.points.contains_key(&summary.object) {
                continue;
            }
            let group = groups
                .entry(summary.vm.identity.clone())
                .or_insert_with(|| naming.group(&summary.vm.identity));
            if summary.object != format!("points/{group}/{}", summary.id) {
                continue;
            }
            if self.read_anew.contains(&summary.vm.identity) {
                continue;
            }
            members.insert(summary.object.clone());
            let known = KnownPoint { domain, summary };
            self.points.insert(known.summary.object.clone(), known);
        }
        for note in roll_up.notes {
            let heard = note.heard(domain);
            let names_its_point = point_of_note(&heard.object) == Some(heard.note.point.as_str());
            if names_its_point && self.listing.notes.contains_key(&heard.object) {
                members.insert(heard.object.clone());
                self.rolled_notes.insert(heard.object.clone(), domain);
                self.notes.insert(heard.object.clone(), heard);
            }
        }
        self.roll_ups.push(ReadRollUp {
            object,
            domain,
            replaces: roll_up.replaces,
            members,
        });
        Ok(())
    }

    /// Believes no roll-up what it says of notes of another domain's points, or of VMs that are to
    /// be read anew: those notes are read themselves. Comes when all points are known, since a
    /// roll-up may tell of notes of points that stand elsewhere.
    fn doubt_notes(&mut self) {
        let mut points: HashMap<&str, Vec<&KnownPoint>> = HashMap::new();
        for known in self.points.values() {
            points.entry(&known.summary.id).or_default().push(known);
        }
        let read_anew = &self.read_anew;
        let rolled_notes = &self.rolled_notes;
        let is_believed = |heard: &HeardNote| {
            let Some(domain) = rolled_notes.get(&heard.object) else {
                return true;
            };
            let of_point = points.get(heard.note.point.as_str()).into_iter().flatten();
            let may_say = |known: &&KnownPoint| {
                known.domain == *domain && !read_anew.contains(&known.summary.vm.identity)
            };
            of_point.copied().all(|known| may_say(&known))
        };
        let mut doubted: HashSet<String> = HashSet::new();
        self.notes.retain(|object, heard| {
            let keep = is_believed(heard);
            if !keep {
                doubted.insert(object.clone());
            }
            keep
        });
        for roll_up in &mut self.roll_ups {
            roll_up.members.retain(|object| !doubted.contains(object));
        }
    }

    /// Reads the points that no roll-up told of. What is gone was removed since, or is shown by a
    /// listing that lags.
    fn read_rest_of_points(&mut self, repository: &Repository) {
        let points = self.listing.points.keys();
        let points: Vec<&String> = points
            .filter(|object| !self.points.contains_key(*object))
            .collect();
        let open_point = |object: &str, bytes: &[u8]| repository.open_point(object, bytes);
        for (object, read) in read_all(repository, &points, open_point) {
            match read {
                Read::Done((domain, point)) => {
                    let summary = PointSummary::of(&object, &point);
                    let known = KnownPoint { domain, summary };
                    self.points.insert(object, known);
                }
                Read::Gone => drop(self.listing.points.remove(&object)),
                Read::Failed(error) if error.kind() == RepositoryErrorKind::OtherDomain => {
                    self.foreign += 1;
                }
                Read::Failed(error) => self.unreadable.push(error),
            }
        }
    }

    /// Reads the notes that no roll-up told of, as far as they are of points that are there.
    fn read_rest_of_notes(&mut self, repository: &Repository) {
        let of_points = self.ids();
        let notes = self.listing.notes.keys();
        let notes: Vec<&String> = notes
            .filter(|object| !self.notes.contains_key(*object))
            .filter(|object| point_of_note(object).is_some_and(|id| of_points.contains(id)))
            .collect();
        let open_note = |object: &str, bytes: &[u8]| repository.open_note(object, bytes);
        for (object, read) in read_all(repository, &notes, open_note) {
            match read {
                Read::Done(heard) => drop(self.notes.insert(object, heard)),
                Read::Gone => drop(self.listing.notes.remove(&object)),
                // That there is a note which cannot be read is told by its being listed alone.
                Read::Failed(_) => {}
            }
        }
    }

    /// Returns the ids of all points that are listed.
    fn ids(&self) -> HashSet<&str> {
        let names = self.listing.points.keys();
        names.filter_map(|name| name.rsplit('/').next()).collect()
    }

    fn forget_what_is_gone(&mut self) {
        let Listing { points, notes, .. } = &self.listing;
        self.points.retain(|object, _| points.contains_key(object));
        self.notes.retain(|object, _| notes.contains_key(object));
    }
}

fn read_one<T>(
    repository: &Repository,
    object: &str,
    open: impl Fn(&str, &[u8]) -> Result<T, RepositoryError>,
) -> Read<T> {
    match repository.shared.store.get(object, SEALED_BYTES_MAX as u64) {
        Ok(bytes) => match open(object, &bytes) {
            Ok(value) => Read::Done(value),
            Err(error) => Read::Failed(error),
        },
        Err(error) if error.kind() == StoreErrorKind::NotFound => Read::Gone,
        Err(error) => Read::Failed(error.into()),
    }
}

/// Reads objects with a few threads; the answers are in the order of the objects.
fn read_all<T: Send>(
    repository: &Repository,
    objects: &[&String],
    open: impl Fn(&str, &[u8]) -> Result<T, RepositoryError> + Sync,
) -> Vec<(String, Read<T>)> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(objects.len()));
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(object) = objects.get(number) else {
                return;
            };
            let read = read_one(repository, object, &open);
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.push((number, (*object).clone(), read));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..READERS.min(objects.len()) {
            scope.spawn(work);
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(number, ..)| *number);
    let answers = done.into_iter();
    answers.map(|(_, object, read)| (object, read)).collect()
}

/// Returns the store's time as points tell theirs.
pub(crate) fn timestamp(time: SystemTime) -> jiff::Timestamp {
    jiff::Timestamp::try_from(time).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}
