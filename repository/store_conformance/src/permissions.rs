//! What the account that runs this may do, one right after the other.

use object_store::StoreErrorKind;

use crate::case::{Case, CaseOutcome, CaseResult, Failure, must};
use crate::place::Place;

pub(crate) const CASES: &[Case] = &[Case {
    name: "permissions",
    about: "this account may write, read, list and remove",
    run: permissions,
}];

/// Returns which rights are missing; a host that only adds may do without the last.
fn permissions(place: &Place<'_>) -> CaseResult {
    let name = place.name("permissions/object");
    let mut missing = Vec::new();
    let mut note = |right: &str, result: Result<(), Failure>| {
        if let Err(Failure(why)) = result {
            missing.push(format!("cannot {right} ({why})"));
        }
    };
    let written = place.store.put_new(&name, b"permitted");
    note("write", written.map_err(Failure::from));
    note("read", place.must_hold(&name, b"permitted"));
    let listed = place
        .list("permissions/")
        .map_err(Failure::from)
        .and_then(|found| {
            must(found.iter().any(|one| one.name == name), || {
                "the object is not listed".to_owned()
            })
        });
    note("list", listed);
    note(
        "tell the time",
        place.store.now().map(drop).map_err(Failure::from),
    );
    let mut remark = None;
    match place.store.remove(&name) {
        Ok(()) => {}
        Err(error) if error.kind() == StoreErrorKind::Locked => {
            remark = Some("removing was not tried: objects are locked");
        }
        Err(error) if error.kind() == StoreErrorKind::Denied && missing.is_empty() => {
            remark = Some(
                "this account may not remove: right for a host that only adds, \
                 too little for retention",
            );
        }
        Err(error) => missing.push(format!("cannot remove ({error})")),
    }
    match (missing.is_empty(), remark) {
        (false, _) => Err(Failure(missing.join("; "))),
        (true, Some(remark)) => Ok(CaseOutcome::passed_with(remark)),
        (true, None) => Ok(CaseOutcome::passed()),
    }
}
