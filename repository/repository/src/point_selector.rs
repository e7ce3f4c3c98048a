//! How people name a restore point: `VM@latest`, `VM@latest~1`, `VM@2026-05-01`, an id's beginning.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::{
    CatalogPoint, PointSummary, Repository, RepositoryError, RepositoryErrorKind, RestorePoint,
};

/// Hex digits that the beginning of an id needs.
const ID_DIGITS_MIN: usize = 4;

/// What a person typed to name a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PointSelector {
    /// The n-th newest point of a VM, from 0.
    Latest {
        /// Name, identity or its beginning.
        vm: String,
        /// 0 for the newest.
        back: usize,
    },
    /// The last point of a VM that began at or before a time.
    At {
        /// Name, identity or its beginning.
        vm: String,
        /// The time.
        time: Timestamp,
    },
    /// The point whose id begins so.
    Id(String),
}

fn refuse(text: &str) -> RepositoryError {
    let what = format!("{text} does not name a restore point");
    RepositoryError::new(RepositoryErrorKind::NoSuchPoint, what).hint(
        "write VM@latest, VM@latest~1, VM@2026-05-01T22:00 or the beginning of an id; \
         `lifeboat point list` shows them",
    )
}

impl PointSelector {
    /// Reads what a person typed; times without a zone are the person's own.
    pub fn parse(text: &str, zone: &TimeZone) -> Result<Self, RepositoryError> {
        // The last `@`: a VM's name may have one.
        let Some((vm, when)) = text.rsplit_once('@') else {
            let is_id = text.len() >= ID_DIGITS_MIN && text.bytes().all(|b| b.is_ascii_hexdigit());
            return if is_id {
                Ok(Self::Id(text.to_ascii_lowercase()))
            } else {
                Err(refuse(text))
            };
        };
        let vm = vm.to_owned();
        if vm.is_empty() {
            return Err(refuse(text));
        }
        if let Some(back) = when.strip_prefix("latest") {
            let back = match back.strip_prefix('~') {
                Some(number) => number.parse().map_err(|_| refuse(text))?,
                None if back.is_empty() => 0,
                None => return Err(refuse(text)),
            };
            return Ok(Self::Latest { vm, back });
        }
        let time = parse_time(when, zone).ok_or_else(|| refuse(text))?;
        Ok(Self::At { vm, time })
    }

    /// Chooses among `points`, which are ordered oldest first.
    pub fn choose<'a>(
        &self,
        points: &[&'a PointSummary],
    ) -> Result<&'a PointSummary, RepositoryError> {
        let none = |what: String| {
            RepositoryError::new(RepositoryErrorKind::NoSuchPoint, what)
                .hint("`lifeboat point list` shows the restore points")
        };
        match self {
            Self::Id(prefix) => {
                let found = points.iter().copied();
                let mut found = found.filter(|point| point.id.starts_with(prefix));
                match (found.next(), found.next()) {
                    (Some(point), None) => Ok(point),
                    (None, _) => Err(none(format!(
                        "no restore point has an id that begins with {prefix}"
                    ))),
                    (Some(_), Some(_)) => Err(ambiguous(format!(
                        "several restore points have an id that begins with {prefix}"
                    ))),
                }
            }
            Self::Latest { vm, back } => {
                let points = of_vm(points, vm)?;
                let index = points
                    .len()
                    .checked_sub(1)
                    .and_then(|last| last.checked_sub(*back));
                index.map(|index| points[index]).ok_or_else(|| {
                    none(format!(
                        "{vm} has {} restore points, not {}",
                        points.len(),
                        back.saturating_add(1)
                    ))
                })
            }
            Self::At { vm, time } => {
                let points = of_vm(points, vm)?;
                let found = points.iter().rev().find(|point| point.started <= *time);
                found
                    .copied()
                    .ok_or_else(|| none(format!("{vm} has no restore point at or before {time}")))
            }
        }
    }
}

fn ambiguous(what: String) -> RepositoryError {
    RepositoryError::new(RepositoryErrorKind::AmbiguousPoint, what)
        .hint("use the id that `lifeboat point list` shows")
}

/// Returns the points of the one VM that is called so.
fn of_vm<'a>(
    points: &[&'a PointSummary],
    vm: &str,
) -> Result<Vec<&'a PointSummary>, RepositoryError> {
    let lower = vm.to_lowercase();
    let named = |point: &&PointSummary| {
        point.vm.name.to_lowercase() == lower || point.vm.identity.to_lowercase() == lower
    };
    let mut found: Vec<&PointSummary> = points.iter().copied().filter(named).collect();
    if found.is_empty() && vm.len() >= ID_DIGITS_MIN {
        found = points
            .iter()
            .copied()
            .filter(|point| point.vm.identity.to_lowercase().starts_with(&lower))
            .collect();
    }
    let Some(first) = found.first() else {
        let what = format!("there is no restore point of a VM {vm}");
        return Err(RepositoryError::new(RepositoryErrorKind::NoSuchPoint, what)
            .hint("`lifeboat point list` shows the restore points"));
    };
    if let Some(other) = found
        .iter()
        .find(|point| point.vm.identity != first.vm.identity)
    {
        let (a, b) = (&first.vm.identity, &other.vm.identity);
        return Err(ambiguous(format!(
            "several VMs are called {vm}: {a} and {b}"
        )));
    }
    // A VM that was renamed keeps its history.
    let identity = &first.vm.identity;
    Ok(points
        .iter()
        .copied()
        .filter(|point| point.vm.identity == *identity)
        .collect())
}

/// Reads a time; of a date alone the whole day counts, of a minute the whole minute.
fn parse_time(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    let local = |time: DateTime| Some(zone.to_zoned(time).ok()?.timestamp());
    if let Ok(date) = text.parse::<Date>()
        && !text.contains(['T', ' ', ':'])
    {
        return local(
            date.tomorrow()
                .ok()?
                .to_datetime(jiff::civil::Time::midnight()),
        )?
        .checked_sub(1.nanoseconds())
        .ok();
    }
    let time = local(text.parse::<DateTime>().ok()?)?;
    let whole_minute = text.matches(':').count() < 2;
    if whole_minute {
        time.checked_add(59.seconds()).ok()
    } else {
        Some(time)
    }
}

impl Repository {
    /// Finds the point that a person named, and reads it.
    pub fn find_point(&self, text: &str) -> Result<RestorePoint, RepositoryError> {
        self.point_of(&self.find_point_with_notes(text)?.summary)
    }

    /// Reads the point that a summary is of.
    pub fn point_of(&self, summary: &PointSummary) -> Result<RestorePoint, RepositoryError> {
        self.read_point(&summary.object)
    }

    /// Finds the point that a person named, and what a listing says of it.
    pub fn find_point_with_notes(&self, text: &str) -> Result<CatalogPoint, RepositoryError> {
        let selector = PointSelector::parse(text, &TimeZone::system())?;
        let mut catalog = self.catalog()?;
        let summaries: Vec<&PointSummary> = catalog.points.iter().map(|own| &own.summary).collect();
        let chosen = match selector.choose(&summaries) {
            Ok(chosen) => chosen.object.clone(),
            Err(error) if error.kind() == RepositoryErrorKind::NoSuchPoint => {
                // The point may be one of those that cannot be read: that is damage, not a typing
                // error.
                return Err(catalog.unreadable.into_iter().next().unwrap_or(error));
            }
            Err(error) => return Err(error),
        };
        let is_it = |own: &CatalogPoint| own.summary.object == chosen;
        let index = catalog.points.iter().position(is_it);
        let found = index.map(|index| catalog.points.swap_remove(index));
        found.ok_or_else(|| refuse(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<PointSelector, RepositoryError> {
        PointSelector::parse(text, &TimeZone::UTC)
    }

    #[test]
    fn the_grammar_is_what_the_help_says() {
        let latest = |vm: &str, back| PointSelector::Latest {
            vm: vm.to_owned(),
            back,
        };
        assert_eq!(parse("web@latest").unwrap(), latest("web", 0));
        assert_eq!(parse("a@b@latest~3").unwrap(), latest("a@b", 3));
        assert_eq!(parse("0aB9").unwrap(), PointSelector::Id("0ab9".to_owned()));
        for text in [
            "web",
            "@latest",
            "web@",
            "web@latest~",
            "web@latest1",
            "abc",
            "web@yesterday",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        let time = |text: &str| match parse(text).unwrap() {
            PointSelector::At { time, .. } => time.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(time("web@2026-05-01T02:00"), "2026-05-01T02:00:59Z");
        assert_eq!(time("web@2026-05-01T02:00:07"), "2026-05-01T02:00:07Z");
        assert_eq!(time("web@2026-05-01"), "2026-05-01T23:59:59.999999999Z");
        assert_eq!(
            time("web@2026-05-01T02:00:00+02:00"),
            "2026-05-01T00:00:00Z"
        );
    }
}
