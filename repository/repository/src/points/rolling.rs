//! Writing roll-ups, and removing those that they take the place of.

use std::collections::HashSet;

use object_store::StoreErrorKind;

use crate::keys::DomainId;
use crate::points::PointSummary;
use crate::points::roll_up::{ROLL_UP_BYTES_MAX, RollUp, RolledNote};
use crate::points::survey::{ReadRollUp, Survey};
use crate::{Repository, RepositoryError};

/// Points and notes in no roll-up that are worth one.
const ROLL_FROM: usize = 8;
/// A roll-up is taken in as long as it is less than so many times as large as all that is smaller.
const TIER: usize = 4;
/// Roll-ups that an earlier run could not remove, of which so many are tried at once.
const LEFTOVERS_TRIED: usize = 16;

/// What rolling up did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RollUpReport {
    /// Roll-ups that were written.
    pub written: u64,
    /// Roll-ups that were removed because others have taken their place.
    pub removed: u64,
}

impl Repository {
    /// Writes what listings should not have to read point by point. Whoever has published points
    /// calls this at the end; it does nothing where that would gain nothing.
    ///
    /// Whatever fails here has cost no point and no note: those are read one by one then.
    pub fn roll_up_points(&self) -> Result<RollUpReport, RepositoryError> {
        let survey = Survey::take(self, &HashSet::new())?;
        let mut report = RollUpReport::default();
        let mut superseded = superseded(&survey);
        let rolled: HashSet<&str> = survey
            .roll_ups
            .iter()
            .flat_map(|own| own.members.iter().map(String::as_str))
            .collect();
        let mut all_rolled = true;
        for domain in domains(&survey) {
            let loose = loose(&survey, domain, &rolled);
            // A damaged roll-up is told of no domain: its contents are loose in theirs.
            if loose.len() < ROLL_FROM && !(is_uneven(&survey, domain) && loose.is_empty()) {
                all_rolled &= loose.is_empty();
                continue;
            }
            let (members, taken) = self.choose(&survey, domain, loose);
            if members.is_empty() {
                superseded.extend(taken);
                continue;
            }
            let mut replaces: Vec<String> = taken.clone();
            let named = survey
                .roll_ups
                .iter()
                .filter(|own| taken.contains(&own.object));
            let listed = &survey.listing.roll_ups;
            replaces.extend(
                named
                    .flat_map(|own| own.replaces.iter())
                    .filter(|object| listed.contains_key(*object))
                    .cloned(),
            );
            report.written += self.write(&survey, domain, &members, replaces)?;
            superseded.extend(taken);
        }
        if all_rolled {
            // All that they may have said is said elsewhere by now.
            superseded.extend(survey.damaged_roll_ups.iter().cloned());
        }
        report.removed = self.remove_roll_ups(&superseded)?;
        Ok(report)
    }

    /// Chooses which roll-ups are taken in, and returns all members of the new one.
    fn choose(
        &self,
        survey: &Survey,
        domain: DomainId,
        loose: Vec<String>,
    ) -> (Vec<String>, Vec<String>) {
        let mut of_domain: Vec<&ReadRollUp> = survey
            .roll_ups
            .iter()
            .filter(|own| own.domain == domain)
            .collect();
        of_domain.sort_by_key(|own| own.members.len());
        let sizes: Vec<usize> = of_domain.iter().map(|own| own.members.len()).collect();
        let take = taken_in(loose.len(), &sizes);
        let mut bytes: usize = loose.iter().map(|object| said_bytes(survey, object)).sum();
        let mut members: HashSet<String> = loose.into_iter().collect();
        let mut taken = Vec::new();
        for own in of_domain.into_iter().take(take) {
            let more = own.members.iter().map(|object| said_bytes(survey, object));
            bytes = bytes.saturating_add(more.sum());
            if bytes > ROLL_UP_BYTES_MAX {
                break;
            }
            members.extend(own.members.iter().cloned());
            taken.push(own.object.clone());
        }
        let mut members: Vec<String> = members.into_iter().collect();
        members.sort_unstable();
        (members, taken)
    }

    /// Writes the members into as few roll-ups as hold them; the last says what they replace.
    fn write(
        &self,
        survey: &Survey,
        domain: DomainId,
        members: &[String],
        mut replaces: Vec<String>,
    ) -> Result<u64, RepositoryError> {
        let mut rest = members;
        let mut written = 0;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take_while(|object| {
                bytes += said_bytes(survey, object);
                bytes <= ROLL_UP_BYTES_MAX
            });
            let (now, later) = rest.split_at(fits.count().max(1));
            rest = later;
            let points = now.iter().filter_map(|object| survey.points.get(object));
            let points: Vec<PointSummary> = points.map(|known| known.summary.clone()).collect();
            let notes = now.iter().filter_map(|object| survey.notes.get(object));
            let notes: Vec<RolledNote> = notes.map(RolledNote::of).collect();
            let replaces = if rest.is_empty() {
                std::mem::take(&mut replaces)
            } else {
                Vec::new()
            };
            RollUp::new(replaces, points, notes).put(&self.shared, domain)?;
            written += 1;
        }
        Ok(written)
    }

    /// Removes roll-ups. One that the store keeps, or that we may not remove, stays: readers know
    /// that another has taken its place.
    fn remove_roll_ups(&self, objects: &[String]) -> Result<u64, RepositoryError> {
        let mut removed = 0;
        for object in objects {
            match self.shared.store.remove(object) {
                Ok(()) => removed += 1,
                Err(error) => match error.kind() {
                    StoreErrorKind::NotFound => {}
                    StoreErrorKind::Locked | StoreErrorKind::Denied => break,
                    _ => return Err(error.into()),
                },
            }
        }
        Ok(removed)
    }
}

/// Returns roll-ups that others say they replace and that are there all the same.
fn superseded(survey: &Survey) -> Vec<String> {
    let listed = &survey.listing.roll_ups;
    let replaced = survey.roll_ups.iter().flat_map(|own| &own.replaces);
    let mut leftovers: Vec<String> = replaced
        .filter(|object| listed.contains_key(*object))
        .cloned()
        .collect();
    leftovers.sort_unstable();
    leftovers.dedup();
    leftovers.truncate(LEFTOVERS_TRIED);
    leftovers
}

fn domains(survey: &Survey) -> Vec<DomainId> {
    let of_points = survey.points.values().map(|known| known.domain);
    let of_roll_ups = survey.roll_ups.iter().map(|own| own.domain);
    let domains: HashSet<DomainId> = of_points.chain(of_roll_ups).collect();
    let mut domains: Vec<DomainId> = domains.into_iter().collect();
    domains.sort_unstable();
    domains
}

/// Returns the points of a domain, and notes of them, that are in no roll-up.
fn loose(survey: &Survey, domain: DomainId, rolled: &HashSet<&str>) -> Vec<String> {
    let of_domain = |known: &&crate::points::survey::KnownPoint| known.domain == domain;
    let own: HashSet<&str> = survey
        .points
        .values()
        .filter(of_domain)
        .map(|known| known.summary.id.as_str())
        .collect();
    let points = survey.points.values().filter(of_domain);
    let points = points.map(|known| known.summary.object.as_str());
    let notes = survey.notes.values();
    let notes = notes.filter(|heard| own.contains(heard.note.point.as_str()));
    let notes = notes.map(|heard| heard.object.as_str());
    let mut loose: Vec<String> = points
        .chain(notes)
        .filter(|object| !rolled.contains(object))
        .map(str::to_owned)
        .collect();
    loose.sort_unstable();
    loose
}

/// Returns whether roll-ups of a domain tell of nothing any more, or would be taken in.
fn is_uneven(survey: &Survey, domain: DomainId) -> bool {
    let own = survey.roll_ups.iter().filter(|own| own.domain == domain);
    let mut sizes: Vec<usize> = own.map(|own| own.members.len()).collect();
    sizes.sort_unstable();
    taken_in(0, &sizes) > 1 || sizes.first() == Some(&0)
}

/// Returns how many of the smallest roll-ups are taken in: up to the largest that is less than
/// [`TIER`] times as large as all that is smaller, `loose` included. `sizes` ascend.
fn taken_in(loose: usize, sizes: &[usize]) -> usize {
    let mut smaller = loose;
    let mut take = 0;
    for (number, size) in sizes.iter().enumerate() {
        if *size < smaller.saturating_mul(TIER) || *size == 0 {
            take = number + 1;
        }
        smaller = smaller.saturating_add(*size);
    }
    take
}

/// Returns about how many bytes a roll-up needs for a point or note.
fn said_bytes(survey: &Survey, object: &str) -> usize {
    let bytes = |json: serde_json::Result<Vec<u8>>| json.map_or(0, |json| json.len() + 1);
    match (survey.points.get(object), survey.notes.get(object)) {
        (Some(known), _) => bytes(serde_json::to_vec(&known.summary)),
        (None, Some(heard)) => bytes(serde_json::to_vec(&RolledNote::of(heard))),
        (None, None) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::taken_in;

    #[test]
    fn what_is_not_much_larger_is_taken_in_with_all_that_is_smaller() {
        assert_eq!(taken_in(8, &[]), 0);
        assert_eq!(taken_in(8, &[32]), 0);
        assert_eq!(taken_in(8, &[31]), 1);
        assert_eq!(taken_in(8, &[8, 60, 10_000]), 2);
        // Points were removed from a large one: it is taken in, and so is what lies between.
        assert_eq!(taken_in(8, &[40, 50]), 2);
        assert_eq!(taken_in(0, &[0, 7]), 1);
        assert_eq!(taken_in(8, &[0; 3]), 3);
    }

    #[test]
    fn ten_thousand_points_one_by_one_lie_in_a_handful_of_roll_ups() {
        let mut sizes: Vec<usize> = Vec::new();
        let (mut most, mut written) = (0, 0);
        for _ in 0..10_000 / 8 {
            let take = taken_in(8, &sizes);
            let taken: usize = sizes.drain(..take).sum();
            written += taken + 8;
            sizes.push(taken + 8);
            sizes.sort_unstable();
            most = most.max(sizes.len());
        }
        assert_eq!(sizes.iter().sum::<usize>(), 10_000);
        assert!(most <= 8, "{most} roll-ups");
        assert!(written <= 30 * 10_000, "{written} entries written");
    }
}
