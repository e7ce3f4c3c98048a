//! Objects of the size of a pack.

use crate::case::{Case, CaseOutcome, CaseResult, must};
use crate::place::{Place, noise};

pub(crate) const CASES: &[Case] = &[Case {
    name: "large-object",
    about: "an object as large as a pack is written and read in part",
    run: large_object,
}];

fn large_object(place: &Place<'_>) -> CaseResult {
    let len = place.options.large_object_bytes;
    if len == 0 {
        return Ok(CaseOutcome::not_applicable("left out, to be quick"));
    }
    let name = place.name("large-object");
    let bytes = noise(13, len);
    place.store.put_new(&name, &bytes)?;
    let size_bytes = place.second.size_bytes(&name)?;
    must(
        u64::try_from(len).is_ok_and(|len| len == size_bytes),
        || format!("{len} bytes were written, and the object has {size_bytes}"),
    )?;
    let last = len.saturating_sub(70_000);
    for offset in [0, len / 2, last] {
        let mut found = vec![0; 65_536.min(len - offset)];
        let start = u64::try_from(offset).unwrap_or_default();
        place.second.get_range(&name, start, &mut found)?;
        must(
            bytes.get(offset..offset + found.len()) == Some(&found[..]),
            || format!("the bytes at {offset} are not those that were written"),
        )?;
    }
    place.must_hold(&name, &bytes)?;
    Ok(CaseOutcome::passed())
}
