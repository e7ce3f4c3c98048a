//! Locks against removal, where the store has them.

use std::time::{Duration, SystemTime};

use object_store::{ObjectRetention, StoreErrorKind};

use crate::case::{Case, CaseOutcome, CaseResult, Failure, must};
use crate::place::Place;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "locked",
        about: "a new object is locked, and nobody removes it",
        run: locked,
    },
    Case {
        name: "lock-extended",
        about: "a lock can be made longer, and never shorter",
        run: extended,
    },
];

/// Times of locks are kept in whole seconds.
const SLACK: Duration = Duration::from_secs(1);

fn retention<'a>(place: &Place<'a>) -> Result<&'a dyn ObjectRetention, CaseOutcome> {
    place
        .store
        .retention()
        .ok_or_else(|| CaseOutcome::not_applicable("locks were not asked for"))
}

fn locked(place: &Place<'_>) -> CaseResult {
    let retention = match retention(place) {
        Ok(retention) => retention,
        Err(outcome) => return Ok(outcome),
    };
    let name = place.name("locked");
    let wanted = retention.new_objects_until()?;
    place.store.put_new(&name, b"kept")?;
    let until = lock_of(retention, &name)?;
    must(until + SLACK >= wanted, || {
        "the lock ends before the time that was promised".to_owned()
    })?;
    match place.second.remove(&name) {
        Err(error) if error.kind() == StoreErrorKind::Locked => {}
        Err(error) => return Err(error.into()),
        Ok(()) => return Err(Failure("a locked object was removed".to_owned())),
    }
    place.must_hold(&name, b"kept")?;
    Ok(CaseOutcome::passed())
}

fn extended(place: &Place<'_>) -> CaseResult {
    let retention = match retention(place) {
        Ok(retention) => retention,
        Err(outcome) => return Ok(outcome),
    };
    let name = place.name("lock-extended");
    place.store.put_new(&name, b"kept for longer")?;
    let first = lock_of(retention, &name)?;
    // A second is enough to see, and keeps the object of this test no longer than it must be.
    let longer = first + Duration::from_secs(1);
    retention.extend(&name, longer)?;
    let after = lock_of(retention, &name)?;
    must(after >= longer, || {
        "the lock was not made longer".to_owned()
    })?;
    retention.extend(&name, first)?;
    let after = lock_of(retention, &name)?;
    must(after >= longer, || "the lock was made shorter".to_owned())?;
    Ok(CaseOutcome::passed())
}

fn lock_of(retention: &dyn ObjectRetention, name: &str) -> Result<SystemTime, Failure> {
    retention
        .locked_until(name)?
        .ok_or_else(|| Failure("a new object is not locked".to_owned()))
}
