//! About how much becomes free.

/// Returns how many bytes the points that go may free at most. `points` are those of one VM, oldest
/// first: whether each stays, and what its run stored.
///
/// A run of points that go frees what they stored and the next one that stays does not need any
/// more. That is at most what they stored, and at most what was stored instead, by them after the
/// first and by the one that stays: what was never replaced is still needed.
pub(crate) fn freed_bytes_at_most(points: impl Iterator<Item = (bool, u64)>) -> u64 {
    let mut freed = 0_u64;
    // What the points of this run stored, and what was stored since the first of them.
    let mut run: Option<(u64, u64)> = None;
    for (stays, stored) in points {
        run = match (stays, run) {
            (true, None) => None,
            (true, Some((own, since))) => {
                freed = freed.saturating_add(own.min(since.saturating_add(stored)));
                None
            }
            (false, None) => Some((stored, 0)),
            (false, Some((own, since))) => {
                Some((own.saturating_add(stored), since.saturating_add(stored)))
            }
        };
    }
    // After the last one nothing was stored instead: all that it stored is free.
    freed.saturating_add(run.map_or(0, |(own, _)| own))
}

#[cfg(test)]
mod tests {
    use super::freed_bytes_at_most;

    #[test]
    fn a_large_first_point_frees_no_more_than_was_stored_instead() {
        let freed = |points: &[(bool, u64)]| freed_bytes_at_most(points.iter().copied());
        assert_eq!(freed(&[(false, 1000), (true, 10)]), 10);
        assert_eq!(freed(&[(false, 1000), (false, 10), (true, 10)]), 20);
        assert_eq!(
            freed(&[(true, 1000), (false, 10), (false, 20), (true, 15)]),
            30
        );
        assert_eq!(freed(&[(true, 1000), (true, 10)]), 0);
        assert_eq!(freed(&[(false, 7)]), 7);
    }
}
