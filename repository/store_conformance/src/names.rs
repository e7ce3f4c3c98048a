//! Names of all allowed characters and lengths.

use crate::case::{Case, CaseOutcome, CaseResult, must};
use crate::place::Place;

pub(crate) const CASES: &[Case] = &[Case {
    name: "names",
    about: "every name that is allowed works, up to 200 bytes",
    run: names,
}];

/// The length that every store takes (`object_store::check_object_name`).
const NAME_BYTES_MAX: usize = 200;

fn names(place: &Place<'_>) -> CaseResult {
    let alphabet = "abcdefghijklmnopqrstuvwxyz0123456789-.";
    let mut names = vec![
        place.name(&format!("names/{alphabet}")),
        place.name("names/-"),
        place.name("names/a..b"),
        place.name("names/0"),
        place.name("names/deep/er/and/deep/er/still/and/on/it/goes"),
    ];
    let mut longest = place.name("names/");
    longest.extend(
        alphabet
            .chars()
            .cycle()
            .take(NAME_BYTES_MAX - longest.len() - 1),
    );
    longest.push('z');
    names.push(longest);
    for name in &names {
        place.store.put_new(name, name.as_bytes())?;
    }
    for name in &names {
        place.must_hold(name, name.as_bytes())?;
    }
    let mut listed: Vec<String> = place
        .list("names/")?
        .into_iter()
        .map(|one| one.name)
        .collect();
    listed.sort();
    names.sort();
    must(listed == names, || {
        format!("these were written: {names:?}; these are listed: {listed:?}")
    })?;
    Ok(CaseOutcome::passed())
}
