//! Removing, and writing again.

use object_store::StoreErrorKind;

use crate::case::{Case, CaseOutcome, CaseResult, Failure, must};
use crate::place::Place;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "remove-missing",
        about: "removing what is not there is no error",
        run: remove_missing,
    },
    Case {
        name: "remove-and-write-again",
        about: "a removed object is gone, and its name is free",
        run: remove_and_write_again,
    },
];

fn remove_missing(place: &Place<'_>) -> CaseResult {
    place.store.remove(&place.name("remove-missing/nothing"))?;
    place.store.remove(&place.name("remove-missing/nothing"))?;
    Ok(CaseOutcome::passed())
}

fn remove_and_write_again(place: &Place<'_>) -> CaseResult {
    if place.store.retention().is_some() {
        return Ok(CaseOutcome::not_applicable("new objects are locked"));
    }
    let name = place.name("remove");
    place.store.put_new(&name, b"first")?;
    place.must_hold(&name, b"first")?;
    for second in [b"second".as_slice(), b"and the third"] {
        place.store.remove(&name)?;
        match place.second.get(&name, 100) {
            Err(error) if error.kind() == StoreErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Err(Failure("a removed object can still be read".to_owned())),
        }
        place.store.put_new(&name, second)?;
        place.must_hold(&name, second)?;
    }
    place.store.remove(&name)?;
    let listed = place.list("")?;
    must(listed.iter().all(|object| object.name != name), || {
        "a removed object is still listed".to_owned()
    })?;
    Ok(CaseOutcome::passed())
}
