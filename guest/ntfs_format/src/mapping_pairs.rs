//! Runs of clusters (mapping pairs).

use std::ops::Range;

use crate::fields::u8_at;
use crate::malformed::{Malformed, Parsed, ensure};

/// Runs of one attribute that are kept; a page file has a handful.
pub const RUNS_MAX: usize = 1 << 20;

/// Most clusters that a hole is long: beyond, no byte of a file has a place.
const HOLE_CLUSTERS_MAX: u64 = 1 << 54;

/// Some clusters of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// First cluster of the file that it holds.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// Where they lie on the volume; `None`: nowhere, they read as zero.
    pub clusters: Option<Range<u64>>,
}

impl Run {
    /// Returns the cluster of the file behind it.
    pub fn end(&self) -> u64 {
        self.first.saturating_add(self.count)
    }
}

/// Appends the runs that `bytes` encode to those of a file on a volume of so many clusters.
///
/// # Errors
///
/// Where a run has no length or leaves the volume, or there are more than [`RUNS_MAX`].
pub fn append_runs(runs: &mut Vec<Run>, bytes: &[u8], clusters: u64) -> Parsed<()> {
    let mut position = 0;
    let mut place: i64 = 0;
    let mut first = runs.last().map_or(0, Run::end);
    loop {
        let head = u8_at(bytes, position)?;
        if head == 0 {
            return Ok(());
        }
        let (len_size, place_size) = (usize::from(head & 15), usize::from(head >> 4));
        let count = signed(bytes, position + 1, len_size)?;
        let count = u64::try_from(count).unwrap_or(0);
        ensure(count > 0, "a run has no length")?;
        let lies = if place_size == 0 {
            ensure(count <= HOLE_CLUSTERS_MAX, "a hole is longer than any")?;
            None
        } else {
            let step = signed(bytes, position + 1 + len_size, place_size)?;
            let moved = place.checked_add(step);
            place = moved.ok_or(Malformed::new("a run is nowhere"))?;
            let start = u64::try_from(place).unwrap_or(u64::MAX);
            let end = start.checked_add(count).filter(|end| *end <= clusters);
            let end = end.ok_or(Malformed::new("a run is outside of the volume"))?;
            Some(start..end)
        };
        ensure(runs.len() < RUNS_MAX, "a file has more runs than any")?;
        let next = first.checked_add(count);
        runs.push(Run {
            first,
            count,
            clusters: lies,
        });
        first = next
            .filter(|next| *next <= HOLE_CLUSTERS_MAX)
            .ok_or(Malformed::new("a file is too long"))?;
        position += 1 + len_size + place_size;
    }
}

/// Reads a signed number of up to eight bytes.
fn signed(bytes: &[u8], offset: usize, len: usize) -> Parsed<i64> {
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
        append_runs(&mut runs, &bytes, 1 << 20).unwrap();
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
        // A hole may be longer than the volume.
        append_runs(&mut runs, &[0x04, 0, 0, 0, 1, 0], 100).unwrap();
        for wrong in [
            &[0x21, 0x18, 0x34][..],
            &[0x11, 0, 1, 0],
            &[0x11, 1, 0xFF, 0],
            &[0x08, 0, 0, 0, 0, 0, 0, 0, 0x7F, 0],
            &[0x91, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0],
        ] {
            assert!(
                append_runs(&mut Vec::new(), wrong, 1 << 20).is_err(),
                "{wrong:?}"
            );
        }
    }
}
