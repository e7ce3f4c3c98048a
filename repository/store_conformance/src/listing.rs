//! Listing: all of it, at once.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use crate::case::{Case, CaseOutcome, CaseResult, Failure, must};
use crate::place::Place;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "list-nested",
        about: "a listing shows what begins with its prefix, at any depth, and nothing else",
        run: list_nested,
    },
    Case {
        name: "list-after-write",
        about: "what was written is in the next listing, what was removed is not",
        run: list_after_write,
    },
    Case {
        name: "list-many",
        about: "a listing of more than 1,000 objects is whole",
        run: list_many,
    },
];

fn list_nested(place: &Place<'_>) -> CaseResult {
    let names = ["a/b/c/d", "a/b/e", "a/bc", "a-b/c", "a.b", "ab"];
    for name in names {
        place
            .store
            .put_new(&place.name(&format!("nested/{name}")), name.as_bytes())?;
    }
    let below = |folder: &str| -> Result<Vec<String>, Failure> {
        let listed = place.list(&format!("nested/{folder}"))?;
        let start = place.name("nested/").len();
        let names = listed.into_iter().map(|object| object.name);
        Ok(names
            .map(|name| name.get(start..).unwrap_or(&name).to_owned())
            .collect())
    };
    for (folder, expected) in [
        ("", &["a-b/c", "a.b", "a/b/c/d", "a/b/e", "a/bc", "ab"][..]),
        ("a/", &["a/b/c/d", "a/b/e", "a/bc"]),
        ("a/b/", &["a/b/c/d", "a/b/e"]),
        ("nothing/", &[]),
    ] {
        let found = below(folder)?;
        must(found == expected, || {
            format!(
                "below {folder:?} there should be {expected:?}, and the listing shows {found:?}"
            )
        })?;
    }
    let sizes = place.list("nested/")?;
    must(
        sizes.iter().all(|object| {
            let len = object.name.len() - place.name("nested/").len();
            u64::try_from(len).is_ok_and(|len| len == object.size_bytes)
        }),
        || "the listing shows wrong sizes".to_owned(),
    )?;
    Ok(CaseOutcome::passed())
}

fn list_after_write(place: &Place<'_>) -> CaseResult {
    let name = place.name("after-write/object");
    let shows = || -> Result<bool, Failure> {
        Ok(place
            .list("after-write/")?
            .iter()
            .any(|object| object.name == name))
    };
    place.store.put_new(&name, b"here")?;
    let wrote = lag(place, &shows)?;
    let removed = match place.store.retention() {
        // A lock keeps it: nothing to see.
        Some(_) => Duration::ZERO,
        None => {
            place.store.remove(&name)?;
            lag(place, &|| Ok(!shows()?))?
        }
    };
    let lag = wrote.max(removed);
    Ok(match lag {
        Duration::ZERO => CaseOutcome::passed(),
        lag => CaseOutcome::passed_with(format!("listings lag by {} ms", lag.as_millis())),
    })
}

/// Asks until the answer is yes; returns how long that took, nothing where it was at once.
fn lag(
    place: &Place<'_>,
    settled: &dyn Fn() -> Result<bool, Failure>,
) -> Result<Duration, Failure> {
    if settled()? {
        return Ok(Duration::ZERO);
    }
    let started = Instant::now();
    loop {
        let allowed = place.options.listing_lag_max;
        must(started.elapsed() < allowed, || {
            format!("a listing is still wrong after {} s", allowed.as_secs())
        })?;
        thread::sleep(Duration::from_millis(100));
        if settled()? {
            return Ok(started.elapsed());
        }
    }
}

fn list_many(place: &Place<'_>) -> CaseResult {
    let count = place.options.listed_objects;
    if count == 0 {
        return Ok(CaseOutcome::not_applicable("left out, to be quick"));
    }
    if place.store.retention().is_some() {
        return Ok(CaseOutcome::not_applicable(
            "the lock would keep more than a thousand objects",
        ));
    }
    let names: BTreeSet<String> = (0..count)
        .map(|number| place.name(&format!("many/{:x}/{number:05}", number % 16)))
        .collect();
    let all: Vec<&String> = names.iter().collect();
    let failures: Vec<Failure> = thread::scope(|scope| {
        let writers: Vec<_> = all
            .chunks(all.len().div_ceil(8))
            .map(|part| {
                scope.spawn(move || -> Result<(), Failure> {
                    for name in part {
                        place.store.put_new(name, b"1")?;
                    }
                    Ok(())
                })
            })
            .collect();
        writers
            .into_iter()
            .filter_map(|writer| writer.join().ok().and_then(Result::err))
            .collect()
    });
    if let Some(failure) = failures.into_iter().next() {
        return Err(failure);
    }
    let settled = || -> Result<bool, Failure> {
        let listed = place.list("many/")?;
        let found: BTreeSet<String> = listed.iter().map(|object| object.name.clone()).collect();
        must(found.len() == listed.len(), || {
            "the listing shows an object twice".to_owned()
        })?;
        Ok(found == names)
    };
    let waited = lag(place, &settled)?;
    Ok(CaseOutcome::passed_with(match waited {
        Duration::ZERO => format!("{count} objects"),
        waited => format!("{count} objects, after {} ms", waited.as_millis()),
    }))
}
