//! Every point of a repository, with what is said of it.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use crate::points::note::point_of_note;
use crate::points::point_notes::{HeardNote, in_effect};
use crate::points::survey::{Survey, timestamp};
use crate::points::{PointNotes, PointSummary};
use crate::{Repository, RepositoryError};

/// Every point of a repository, with what is said of it.
#[derive(Debug, Default)]
pub struct Catalog {
    /// The points of all domains, oldest first.
    pub points: Vec<CatalogPoint>,
    /// Why points cannot be read: they are there, and nothing more is known.
    pub unreadable: Vec<RepositoryError>,
    /// Points of domains that this key does not open.
    pub foreign: u64,
}

/// A point in a listing.
#[derive(Debug, Clone)]
pub struct CatalogPoint {
    /// What a listing says of it.
    pub summary: PointSummary,
    /// What is in effect of all that was said of it later.
    pub notes: PointNotes,
    /// When it was written, by the clock of the store.
    pub written: Timestamp,
}

impl Catalog {
    /// Returns the points of one VM, oldest first.
    pub fn of_vm<'a>(&'a self, identity: &'a str) -> impl Iterator<Item = &'a CatalogPoint> {
        self.points
            .iter()
            .filter(move |point| point.summary.vm.identity == identity)
    }

    /// Returns identity and latest name of each VM that has points, by name.
    pub fn vms(&self) -> Vec<(String, String)> {
        let mut names: HashMap<&str, &str> = HashMap::new();
        for point in &self.points {
            names.insert(&point.summary.vm.identity, &point.summary.vm.name);
        }
        let mut vms: Vec<(String, String)> = names
            .into_iter()
            .map(|(identity, name)| (identity.to_owned(), name.to_owned()))
            .collect();
        vms.sort_by(|one, other| (&one.1, &one.0).cmp(&(&other.1, &other.0)));
        vms
    }
}

impl Repository {
    /// Lists all points with the notes in effect, and what could not be read.
    ///
    /// It reads roll-ups, and of the rest what is in none: about 20 objects for ten thousand
    /// points. This is for showing and choosing; see [`Repository::catalog_read_anew`].
    pub fn catalog(&self) -> Result<Catalog, RepositoryError> {
        self.catalog_read_anew(&HashSet::new())
    }

    /// Lists the same, but reads each point and note of the VMs with these identities itself. What
    /// is removed is decided on this.
    pub fn catalog_read_anew(
        &self,
        identities: &HashSet<String>,
    ) -> Result<Catalog, RepositoryError> {
        Ok(catalog(Survey::take(self, identities)?))
    }
}

fn catalog(mut survey: Survey) -> Catalog {
    let unreadable = std::mem::take(&mut survey.unreadable);
    let mut heard: HashMap<&str, Vec<&HeardNote>> = HashMap::new();
    let mut unread: HashMap<&str, u32> = HashMap::new();
    for object in survey.listing.notes.keys() {
        let Some(id) = point_of_note(object) else {
            continue;
        };
        match survey.notes.get(object) {
            Some(note) => heard.entry(id).or_default().push(note),
            None => *unread.entry(id).or_default() += 1,
        }
    }
    let points = survey.points.values().map(|known| {
        let id = known.summary.id.as_str();
        let own = heard.get(id).into_iter().flatten().copied();
        let unread = unread.get(id).copied().unwrap_or_default();
        let written = survey.listing.points.get(&known.summary.object);
        CatalogPoint {
            summary: known.summary.clone(),
            notes: in_effect(own, known.domain, unread),
            written: written.map_or(Timestamp::UNIX_EPOCH, |time| timestamp(*time)),
        }
    });
    let mut points: Vec<CatalogPoint> = points.collect();
    points.sort_by(|a, b| order(&a.summary).cmp(&order(&b.summary)));
    Catalog {
        points,
        unreadable,
        foreign: survey.foreign,
    }
}

fn order(summary: &PointSummary) -> (Timestamp, &str) {
    (summary.started, &summary.id)
}
