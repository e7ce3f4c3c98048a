//! Chains of clusters, as FAT and exFAT have them.

use crate::{FileError, FileErrorKind};

/// Places that one file may be in.
const PLACES_MAX: usize = 1 << 20;

/// Clusters that follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The first one: 2 is the first of the volume.
    pub(crate) first: u32,
    pub(crate) count: u32,
}

/// Follows a chain from its first cluster, for at most `max` clusters: `next` says what comes after
/// one, `None` at the end or where there is no such cluster. What is missing is found when it is
/// read.
///
/// # Errors
///
/// `Corrupt` where the chain leads back to itself, or is in more places than any.
pub(crate) fn follow(
    first: u32,
    max: u64,
    mut next: impl FnMut(u32) -> Result<Option<u32>, FileError>,
) -> Result<Vec<Place>, FileError> {
    let mut places: Vec<Place> = Vec::new();
    // A cluster of the chain that is kept while as many again are passed (Brent's algorithm).
    let (mut kept, mut steps, mut steps_max) = (first, 0_u64, 1_u64);
    let mut at = first;
    let mut left = max;
    while left > 0 {
        let is_full = places.len() == PLACES_MAX;
        match places.last_mut() {
            Some(last) if last.first.checked_add(last.count) == Some(at) => last.count += 1,
            _ if is_full => return Err(corrupt("a file lies in more places than any")),
            _ => places.push(Place {
                first: at,
                count: 1,
            }),
        }
        left -= 1;
        if left == 0 {
            break;
        }
        let Some(behind) = next(at)? else { break };
        if behind == kept {
            return Err(leads_back());
        }
        at = behind;
        steps += 1;
        if steps == steps_max {
            (kept, steps, steps_max) = (at, 0, steps_max * 2);
        }
    }
    // What was too short for that.
    let mut sorted = places.clone();
    sorted.sort_unstable_by_key(|place| place.first);
    let is_twice = |pair: &[Place]| match pair {
        [one, other] => one.first.saturating_add(one.count) > other.first,
        _ => false,
    };
    if sorted.windows(2).any(is_twice) {
        return Err(leads_back());
    }
    Ok(places)
}

fn leads_back() -> FileError {
    corrupt("a file's chain of clusters leads back to itself")
}

fn corrupt(what: &str) -> FileError {
    FileError::new(FileErrorKind::Corrupt, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbors_are_one_place_and_a_chain_ends_where_it_does() {
        let table = [0, 0, 3, 4, 9, 0, 0, 0, 0, 10, 0];
        let next = |at: u32| Ok(Some(table[at as usize]).filter(|next| *next > 0));
        let place = |first, count| Place { first, count };
        assert_eq!(follow(2, 100, next).unwrap(), [place(2, 3), place(9, 2)]);
        assert_eq!(follow(2, 4, next).unwrap(), [place(2, 3), place(9, 1)]);
        assert_eq!(follow(2, 0, next).unwrap(), []);
    }

    #[test]
    fn a_chain_that_leads_back_is_found_however_short_what_is_read_of_it() {
        for (len, back, needed) in [(5, 2, 6), (5, 4, 100), (1, 2, 2), (1000, 500, 1001)] {
            let mut asked = 0;
            let next = |at: u32| {
                asked += 1;
                Ok(Some(if at == 1 + len { back } else { at + 1 }))
            };
            assert!(follow(2, needed, next).is_err(), "{len} {back}");
            assert!(asked < 10_000);
        }
    }
}
