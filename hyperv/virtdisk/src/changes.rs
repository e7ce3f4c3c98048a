//! What changed on a part of a disk.

use std::ops::Range;

/// The answer of a change query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Bytes from the start of the query that the answer is about; less than was asked when the
    /// answer has no room for more. Never 0.
    pub processed_bytes: u64,
    /// What changed there: ranges of the virtual disk in bytes, in the order that Windows gave.
    pub ranges: Vec<Range<u64>>,
}

impl Changes {
    /// Checks what Windows answered for `offset .. offset + length`, as offsets and lengths.
    /// Ranges are cut to what was asked: what lies outside, other queries answer.
    ///
    /// Errors: what is impossible about the answer.
    #[cfg(any(windows, test))]
    pub(crate) fn checked(
        offset: u64,
        length: u64,
        processed_bytes: u64,
        answered: impl Iterator<Item = (u64, u64)>,
    ) -> Result<Self, String> {
        if processed_bytes == 0 {
            return Err("the answer is about no bytes at all".to_owned());
        }
        if processed_bytes > length {
            return Err(format!(
                "the answer is about {processed_bytes} bytes, more than the {length} that were asked"
            ));
        }
        let asked_end = offset.saturating_add(length);
        let mut ranges = Vec::new();
        for (start, range_length) in answered {
            let end = start.checked_add(range_length).ok_or_else(|| {
                format!("a range of {range_length} bytes at {start} ends beyond any disk")
            })?;
            let range = start.max(offset)..end.min(asked_end);
            if !range.is_empty() {
                ranges.push(range);
            }
        }
        Ok(Self {
            processed_bytes,
            ranges,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(processed: u64, answered: &[(u64, u64)]) -> Result<Changes, String> {
        Changes::checked(1000, 500, processed, answered.iter().copied())
    }

    #[test]
    fn ranges_are_cut_to_what_was_asked() {
        let answered = [(900, 200), (1200, 10), (1300, 0), (1400, 4000), (2000, 5)];
        let changes = checked(500, &answered).unwrap();
        assert_eq!(changes.ranges, [1000..1100, 1200..1210, 1400..1500]);
        assert_eq!(changes.processed_bytes, 500);
        assert_eq!(checked(1, &[]).unwrap().ranges, []);
    }

    #[test]
    fn impossible_answers_are_refused() {
        assert!(checked(0, &[]).is_err());
        assert!(checked(501, &[]).is_err());
        assert!(checked(500, &[(u64::MAX, 2)]).is_err());
        let whole = Changes::checked(0, u64::MAX, u64::MAX, [(0, u64::MAX)].into_iter()).unwrap();
        assert_eq!(whole.ranges.first(), Some(&(0..u64::MAX)));
    }
}
