//! The store's own time.

use std::time::{Duration, SystemTime};

use crate::case::{Case, CaseOutcome, CaseResult, Failure, must};
use crate::place::Place;

pub(crate) const CASES: &[Case] = &[Case {
    name: "clock",
    about: "the store's time goes forward, and its objects are dated by it",
    run: clock,
}];

/// Stores tell time in whole seconds, and their front ends may differ a little.
const SLACK: Duration = Duration::from_secs(2);
/// Longer than any of these calls should take.
const NEAR: Duration = Duration::from_secs(600);
/// From here on a person should look at the clocks.
const WORTH_TELLING: Duration = Duration::from_secs(60);

fn clock(place: &Place<'_>) -> CaseResult {
    let before = place.store.now()?;
    place.store.put_new(&place.name("clock/object"), b"dated")?;
    let listed = place.list("clock/")?;
    let object = listed
        .first()
        .ok_or_else(|| Failure("a new object is not listed".to_owned()))?;
    let after = place.second.now()?;
    must(after + SLACK >= before, || {
        format!("the store's time went back by {:?}", apart(before, after))
    })?;
    must(object.modified + SLACK >= before, || {
        let early = apart(before, object.modified);
        format!("a new object is dated {early:?} before the store's time of writing")
    })?;
    must(object.modified <= after + SLACK, || {
        let late = apart(after, object.modified);
        format!("a new object is dated {late:?} after the store's time")
    })?;
    must(apart(before, after) < NEAR, || {
        "the store's time jumped".to_owned()
    })?;
    let own = apart(SystemTime::now(), after);
    Ok(match own > WORTH_TELLING {
        false => CaseOutcome::passed(),
        true => CaseOutcome::passed_with(format!(
            "its clock and this machine's are {} s apart",
            own.as_secs()
        )),
    })
}

fn apart(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other)
        .unwrap_or_else(|error| error.duration())
}
