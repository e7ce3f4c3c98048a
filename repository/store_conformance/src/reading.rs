//! Reading: whole, in part, and what is not there.

use object_store::{ObjectStore, StoreError, StoreErrorKind};

use crate::case::{Case, CaseOutcome, CaseResult, Failure, must};
use crate::place::{Place, noise};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "read-whole",
        about: "an object reads back byte for byte, and no longer than allowed",
        run: read_whole,
    },
    Case {
        name: "read-range",
        about: "any range of an object can be read, and none beyond its end",
        run: read_range,
    },
    Case {
        name: "read-missing",
        about: "what is not there is said not to be there",
        run: read_missing,
    },
];

const LENGTHS: [usize; 4] = [1, 4095, 65_536, 5 << 20];

fn read_whole(place: &Place<'_>) -> CaseResult {
    for len in LENGTHS {
        let name = place.name(&format!("read-whole/{len}"));
        let bytes = noise(7, len);
        place.store.put_new(&name, &bytes)?;
        place.must_hold(&name, &bytes)?;
        let len_bytes = u64::try_from(len).unwrap_or_default();
        let size_bytes = place.second.size_bytes(&name)?;
        must(size_bytes == len_bytes, || {
            format!("an object of {len} bytes is said to have {size_bytes}")
        })?;
        place.second.get(&name, len_bytes)?;
        let shorter = place.second.get(&name, len_bytes - 1);
        must_fail(
            shorter,
            StoreErrorKind::WrongSize,
            "a longer object than allowed",
        )?;
    }
    Ok(CaseOutcome::passed())
}

fn read_range(place: &Place<'_>) -> CaseResult {
    let name = place.name("read-range");
    let bytes = noise(11, 1_000_003);
    place.store.put_new(&name, &bytes)?;
    let ranges = [
        (0, 1),
        (0, 1_000_003),
        (1_000_002, 1),
        (65_536, 65_536),
        (123, 999_000),
        (1_000_003, 0),
    ];
    for (offset, len) in ranges {
        let mut found = vec![0; len];
        let start = u64::try_from(offset).unwrap_or_default();
        place.second.get_range(&name, start, &mut found)?;
        must(bytes.get(offset..offset + len) == Some(&found[..]), || {
            format!("{len} bytes at {offset} are not those that were written")
        })?;
    }
    for (offset, len) in [
        (1_000_000, 4),
        (1_000_003, 1),
        (2_000_000, 1),
        (0, 1_000_004),
    ] {
        let beyond = place.second.get_range(&name, offset, &mut vec![0; len]);
        must_fail(beyond, StoreErrorKind::WrongSize, "a range beyond the end")?;
    }
    Ok(CaseOutcome::passed())
}

fn read_missing(place: &Place<'_>) -> CaseResult {
    let name = place.name("read-missing/nothing");
    let store: &dyn ObjectStore = place.second;
    let what = "an object that is not there";
    must_fail(store.get(&name, 100), StoreErrorKind::NotFound, what)?;
    let range = store.get_range(&name, 0, &mut [0; 4]);
    must_fail(range, StoreErrorKind::NotFound, what)?;
    must_fail(store.size_bytes(&name), StoreErrorKind::NotFound, what)?;
    for bad in ["/etc", "../x", "a//b", "A", ""] {
        must_fail(
            store.get(bad, 1),
            StoreErrorKind::BadName,
            "a name that is none",
        )?;
    }
    Ok(CaseOutcome::passed())
}

fn must_fail<T>(
    result: Result<T, StoreError>,
    kind: StoreErrorKind,
    what: &str,
) -> Result<(), Failure> {
    match result {
        Ok(_) => Err(Failure(format!("{what} was read all the same"))),
        Err(error) if error.kind() == kind => Ok(()),
        Err(error) => Err(Failure(format!(
            "{what} is to be {kind:?}, and was {:?}: {error}",
            error.kind()
        ))),
    }
}
