//! Runs of clusters (mapping pairs).

use std::ops::Range;

use crate::fields::u8_at;
use crate::refusal::{Read, Refusal, ensure};

/// Runs of one attribute that are kept; a page file has a handful.
pub(crate) const RUNS_MAX: usize = 1 << 20;

/// Some clusters of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    /// First cluster of the file that it holds.
    pub(crate) first: u64,
    pub(crate) count: u64,
    /// Where they lie on the volume; `None`: nowhere, they read as zero.
    pub(crate) clusters: Option<Range<u64>>,
}

/// Appends the runs that `bytes` encode to those of a file.
pub(crate) fn append(runs: &mut Vec<Run>, bytes: &[u8], clusters: u64) -> Read<()> {
    let mut position = 0;
    let mut place: i64 = 0;
    let mut first = runs.last().map_or(0, |run| run.first + run.count);
    loop {
        let head = u8_at(bytes, position)?;
        if head == 0 {
            return Ok(());
        }
        let (len_size, place_size) = (usize::from(head & 15), usize::from(head >> 4));
        let count = signed(bytes, position + 1, len_size)?;
        let count = u64::try_from(count).unwrap_or(0);
        ensure(count > 0 && count <= clusters, "a run has no length")?;
        let lies = if place_size == 0 {
            None
        } else {
            let step = signed(bytes, position + 1 + len_size, place_size)?;
            let moved = place.checked_add(step);
            place = moved.ok_or_else(|| Refusal::damaged("a run is nowhere"))?;
            let start = u64::try_from(place).unwrap_or(u64::MAX);
            let end = start.checked_add(count).filter(|end| *end <= clusters);
            let end = end.ok_or_else(|| Refusal::damaged("a run is outside of the volume"))?;
            Some(start..end)
        };
        ensure(runs.len() < RUNS_MAX, "a file has more runs than any")?;
        let next = first.checked_add(count);
        runs.push(Run {
            first,
            count,
            clusters: lies,
        });
        first = next.ok_or_else(|| Refusal::damaged("a file is too long"))?;
        position += 1 + len_size + place_size;
    }
}

/// Reads a signed number of up to eight bytes.
fn signed(bytes: &[u8], offset: usize, len: usize) -> Read<i64> {
    ensure((1..=8).contains(&len), "a run is not a run")?;
    let mut number = if u8_at(bytes, offset + len - 1)? & 0x80 == 0 {
        [0; 8]
    } else {
        [0xFF; 8]
    };
    for (place, at) in number.iter_mut().zip(offset..offset + len) {
        *place = u8_at(bytes, at)?;
    }
    Ok(i64::from_le_bytes(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_counted_from_one_another_and_holes_have_no_place() {
        let mut runs = Vec::new();
        let bytes = [0x21, 0x18, 0x34, 0x56, 0x01, 0x05, 0x11, 0x02, 0xF0, 0x00];
        append(&mut runs, &bytes, 1 << 20).unwrap();
        let run = |first, count, clusters| Run {
            first,
            count,
            clusters,
        };
        let expected = [
            run(0, 0x18, Some(0x5634..0x564C)),
            run(0x18, 5, None),
            run(0x1D, 2, Some(0x5624..0x5626)),
        ];
        assert_eq!(runs, expected);
        for wrong in [
            &[0x21, 0x18, 0x34][..],
            &[0x11, 0, 1, 0],
            &[0x11, 1, 0xFF, 0],
            &[0x91, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0],
        ] {
            assert!(
                append(&mut Vec::new(), wrong, 1 << 20).is_err(),
                "{wrong:?}"
            );
        }
    }
}
