//! One volume over all points of a VM, whatever it is called in each of them.
//!
//! Numbers of volumes change: a disk is added, a partition before this one goes. So the volume is
//! followed from the point in which somebody named it, to the older ones and to the newer ones.

use std::collections::BTreeMap;

use file_restore::{GuestPath, match_volumes};
use guest_reader::DisksFacts;
use repository::{Repository, RestorePoint};

use super::compared::{ComparedPoint, GuestArgs, differences, tell_notes};
use super::open_point::{OpenPoint, failed};
use crate::cli_error::CliError;
use crate::interrupt;
use crate::ui::Ui;

/// A volume of the named point, followed to others.
pub(super) struct FollowedVolume {
    named: RestorePoint,
    /// Its number in older points, by their ids; `None` where they do not have it.
    older: BTreeMap<String, Option<u32>>,
    /// Where it was seen last.
    seen: SeenVolume,
}

/// A volume among those of a point.
#[derive(Clone)]
struct SeenVolume {
    facts: DisksFacts,
    number: u32,
}

impl FollowedVolume {
    /// Finds the volume in the point in which it is named.
    ///
    /// # Errors
    ///
    /// Where the point cannot be opened, or has no such volume: without it there is none to follow.
    pub(super) fn named(
        ui: &Ui,
        repository: &Repository,
        point: RestorePoint,
        place: &GuestPath,
        args: &GuestArgs,
    ) -> Result<Self, CliError> {
        let open = OpenPoint::of(ui, repository, point, args)?;
        tell_notes(ui, open.guest());
        let Some(name) = &place.volume else {
            return Err(CliError::usage("no volume is named"));
        };
        let seen = SeenVolume {
            number: open.tree().volume(name).map_err(failed)?,
            facts: open.guest().facts().clone(),
        };
        Ok(Self {
            named: open.point,
            older: BTreeMap::new(),
            seen,
        })
    }

    /// Looks for the volume in the points before the named one, of which nothing is asked but what
    /// volumes they have.
    ///
    /// # Errors
    ///
    /// Where points cannot be compared. One that cannot be opened is left out; whoever looks into it
    /// says so.
    pub(super) fn find_before(
        &mut self,
        repository: &Repository,
        points: &[RestorePoint],
        args: &GuestArgs,
    ) -> Result<(), CliError> {
        let mut older = BTreeMap::new();
        let mut seen = self.seen.clone();
        let mut next = &self.named;
        let mut number = Some(seen.number);
        for point in points.iter().rev().filter(|point| self.is_older(point)) {
            if interrupt::asked() {
                break;
            }
            if number.is_none() || differences(repository, point, next, args)?.is_some() {
                number = match args.open_guest(repository, point) {
                    Ok(guest) => seen.in_older(guest.facts()),
                    Err(_) => None,
                };
            }
            older.insert(point.id.clone(), number);
            next = point;
        }
        self.older = older;
        Ok(())
    }

    /// Returns the volume's number in a point; points are asked for in their order.
    pub(super) fn number_in(&mut self, open: &ComparedPoint) -> Option<u32> {
        let point = open.point();
        if self.is_older(point) {
            // One that could not be opened before may open now.
            let number = self.older.get(&point.id).copied().flatten();
            return number.or_else(|| self.seen.clone().in_older(open.guest().facts()));
        }
        if point.id == self.named.id {
            return Some(self.seen.number);
        }
        self.seen.in_newer(open.guest().facts())
    }

    fn is_older(&self, point: &RestorePoint) -> bool {
        (point.started, &point.id) < (self.named.started, &self.named.id)
    }
}

impl SeenVolume {
    /// Finds it in an older point, and goes there; where it is not, it is looked for with what it was.
    fn in_older(&mut self, facts: &DisksFacts) -> Option<u32> {
        let matches = match_volumes(facts, &self.facts);
        let own = matches.iter().find(|it| it.new == Some(self.number));
        self.go_to(facts, own.and_then(|it| it.old))
    }

    /// Finds it in a newer point, likewise.
    fn in_newer(&mut self, facts: &DisksFacts) -> Option<u32> {
        let matches = match_volumes(&self.facts, facts);
        let own = matches.iter().find(|it| it.old == Some(self.number));
        self.go_to(facts, own.and_then(|it| it.new))
    }

    fn go_to(&mut self, facts: &DisksFacts, number: Option<u32>) -> Option<u32> {
        let number = number?;
        self.facts = facts.clone();
        self.number = number;
        Some(number)
    }
}
