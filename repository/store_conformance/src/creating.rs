//! Writing: once, whole, whoever else writes.

use std::thread;

use object_store::{ObjectStore, StoreError, StoreErrorKind};

use crate::case::{Case, CaseOutcome, CaseResult, Failure, must};
use crate::place::{Place, new_prefix, noise};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "create-once",
        about: "an object is never replaced",
        run: create_once,
    },
    Case {
        name: "two-writers",
        about: "of two writers of one name, one wins whole",
        run: two_writers,
    },
    Case {
        name: "many-writers",
        about: "objects that are written at once are all there",
        run: many_writers,
    },
    Case {
        name: "empty-object",
        about: "an object may be empty",
        run: empty_object,
    },
];

fn create_once(place: &Place<'_>) -> CaseResult {
    let name = place.name("create-once");
    place.store.put_new(&name, b"first")?;
    refused(place.store.put_new(&name, b"second"))?;
    refused(place.second.put_new(&name, b"the third is longer"))?;
    place.must_hold(&name, b"first")?;
    Ok(CaseOutcome::passed())
}

/// Fails unless a second write was refused for the right reason.
fn refused(written: Result<(), StoreError>) -> Result<(), Failure> {
    match written {
        Ok(()) => Err(Failure(
            "a second write of the same name was accepted".to_owned(),
        )),
        Err(error) if error.kind() == StoreErrorKind::Exists => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn two_writers(place: &Place<'_>) -> CaseResult {
    for round in 0..4u64 {
        let name = place.name(&format!("two-writers/{round}"));
        let bodies = [noise(2 * round, 100_000), noise(2 * round + 1, 100_000)];
        let write = |store: &dyn ObjectStore, body: &[u8]| store.put_new(&name, body);
        let results = thread::scope(|scope| {
            let other = scope.spawn(|| write(place.second, &bodies[1]));
            let own = write(place.store, &bodies[0]);
            // A writer that panicked is a defect of the store's own code.
            let other = other.join().unwrap_or_else(|_| {
                Err(StoreError::new(
                    StoreErrorKind::Io,
                    &name,
                    "the writer panicked",
                ))
            });
            [own, other]
        });
        let winners: Vec<usize> = (0..2).filter(|&at| results[at].is_ok()).collect();
        for result in results {
            match result {
                Err(error) if error.kind() != StoreErrorKind::Exists => return Err(error.into()),
                _ => {}
            }
        }
        must(winners.len() == 1, || {
            format!(
                "{} of two writers of one name were told that they won",
                winners.len()
            )
        })?;
        place.must_hold(&name, &bodies[winners[0]])?;
    }
    Ok(CaseOutcome::passed())
}

fn many_writers(place: &Place<'_>) -> CaseResult {
    let body = |number: u64| noise(number, 10_000);
    let name = |number: u64| place.name(&format!("many-writers/{number}"));
    let mut failures = Vec::new();
    thread::scope(|scope| {
        let writers: Vec<_> = (0..8u64)
            .map(|number| {
                let (name, body) = (name(number), body(number));
                let store = if number % 2 == 0 {
                    place.store
                } else {
                    place.second
                };
                scope.spawn(move || store.put_new(&name, &body))
            })
            .collect();
        for writer in writers {
            if let Ok(Err(error)) = writer.join() {
                failures.push(error);
            }
        }
    });
    if let Some(error) = failures.pop() {
        return Err(error.into());
    }
    for number in 0..8 {
        place.must_hold(&name(number), &body(number))?;
    }
    Ok(CaseOutcome::passed())
}

fn empty_object(place: &Place<'_>) -> CaseResult {
    let name = place.name("empty-object");
    place.store.put_new(&name, &[])?;
    refused(place.store.put_new(&name, b"not empty"))?;
    place.must_hold(&name, &[])?;
    let size_bytes = place.second.size_bytes(&name)?;
    must(size_bytes == 0, || {
        format!("an empty object is said to have {size_bytes} bytes")
    })?;
    place.second.get_range(&name, 0, &mut [])?;
    Ok(CaseOutcome::passed())
}

/// Returns whether a store refuses to replace an object, tried on one that is removed again.
///
/// For a new repository: names are random, so this is a second defence, and worth a word where it
/// is missing.
pub fn replaces_nothing(store: &dyn ObjectStore) -> Result<bool, StoreError> {
    let name = format!("{}create-once", new_prefix()?);
    store.put_new(&name, b"first")?;
    let second = store.put_new(&name, b"second");
    store.remove(&name)?;
    match second {
        Ok(()) => Ok(false),
        Err(error) if error.kind() == StoreErrorKind::Exists => Ok(true),
        Err(error) => Err(error),
    }
}
