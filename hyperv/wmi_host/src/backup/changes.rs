//! What changed of a disk since a tracking id (contract 2.3).

use std::time::Duration;

use block_io::ByteRanges;
use hyperv_host::FullReason;
use wmi::{MethodError, MethodOutput, Value, WmiErrorKind};

use super::link::{IMAGE_SERVICE, Link};
use super::refusal::is_answer;

/// The first question is about this much: a large disk costs no more questions than a small one.
const REGION_MAX: u64 = 1 << 40;
/// The smallest question: with granules of 32 KiB an answer has at most 4,096 ranges, which fit
/// Windows' envelope of 500 KB.
const REGION_MIN: u64 = 128 << 20;
/// Ranges of an answer beyond which the next question is a smaller one.
const RANGES_WISHED: usize = 4_000;
/// Ranges may stick out of what was asked for, and of the disk, by a granule. Contract: 2.3 [M]
const SLACK: u64 = 1 << 20;
/// Pauses between tries of a question whose answer got lost.
const RETRY_PAUSE: Duration = Duration::from_secs(2);
const RETRIES: u32 = 3;

/// Asks what changed of a disk between a tracking id and its frozen file.
///
/// `path` is the host's own path, also where this machine reads the file through a share.
pub(crate) fn changed_since(
    link: &Link,
    path: &str,
    tracking_id: &str,
    size_bytes: u64,
) -> Result<ByteRanges, FullReason> {
    let mut questions = Questions::new(size_bytes);
    let mut ranges = ByteRanges::new();
    while let Some((offset, len_bytes)) = questions.next()? {
        let parameters = [
            ("Path", Value::from(path)),
            ("LimitId", Value::from(tracking_id)),
            // Only VHD sets have one.
            ("TargetSnapshotId", Value::from("")),
            ("ByteOffset", Value::from(offset)),
            ("ByteLength", Value::from(len_bytes)),
        ];
        match link.call(IMAGE_SERVICE, "GetVirtualDiskChanges", &parameters) {
            Ok(answer) => {
                let answer = Answer::of(&answer.output, offset, len_bytes, size_bytes)?;
                questions.answered(answer.processed_bytes, answer.ranges.len());
                for (offset, len_bytes) in answer.ranges {
                    ranges.insert(offset, len_bytes);
                }
            }
            Err(error) => {
                questions.failed(&error)?;
                if is_lost(&error) {
                    link.clock.wait(RETRY_PAUSE);
                }
            }
        }
    }
    Ok(ranges)
}

/// What is still to be asked.
struct Questions {
    size_bytes: u64,
    offset: u64,
    region_bytes: u64,
    /// Questions that may still be asked: a host cannot keep us here forever.
    left: u64,
    retries: u32,
}

impl Questions {
    fn new(size_bytes: u64) -> Self {
        Self {
            size_bytes,
            offset: 0,
            region_bytes: size_bytes.clamp(1, REGION_MAX),
            left: 1024 + (size_bytes / REGION_MIN).saturating_mul(4),
            retries: RETRIES,
        }
    }

    /// Returns what to ask next: offset and length. The last question reaches the disk's very
    /// end: the documentation wants it shorter, and hosts in the field take it. Contract: 2.3 [V?]
    fn next(&mut self) -> Result<Option<(u64, u64)>, FullReason> {
        if self.offset >= self.size_bytes {
            return Ok(None);
        }
        self.left = self.left.checked_sub(1).ok_or(FullReason::QueryFailed)?;
        let len_bytes = self.region_bytes.min(self.size_bytes - self.offset);
        Ok(Some((self.offset, len_bytes)))
    }

    fn answered(&mut self, processed_bytes: u64, ranges: usize) {
        self.offset = self.offset.saturating_add(processed_bytes);
        self.retries = RETRIES;
        if ranges > RANGES_WISHED {
            self.region_bytes = (self.region_bytes / 2).max(REGION_MIN);
        } else if ranges < RANGES_WISHED / 4 {
            self.region_bytes = self.region_bytes.saturating_mul(2).min(REGION_MAX);
        }
    }

    /// Takes a failure; an error where asking again is of no use.
    fn failed(&mut self, error: &MethodError) -> Result<(), FullReason> {
        if is_lost(error) {
            self.retries = self.retries.checked_sub(1).ok_or(FullReason::QueryFailed)?;
            // What takes the host too long may be less in a smaller part.
            self.region_bytes = (self.region_bytes / 4).max(REGION_MIN);
            return Ok(());
        }
        let asked = self.region_bytes.min(self.size_bytes - self.offset);
        if asked > REGION_MIN && may_be_too_large(error) {
            self.region_bytes = (asked / 4).max(REGION_MIN);
            return Ok(());
        }
        Err(reason_of(error))
    }
}

fn is_lost(error: &MethodError) -> bool {
    matches!(error, MethodError::Wmi { source, .. }
        if matches!(source.kind(), WmiErrorKind::Unreachable | WmiErrorKind::Timeout))
}

/// Returns whether a smaller question may be answered: the answer did not fit the envelope, or the
/// host does not take a length that reaches the disk's end. Contract: 2.3 [V?]
fn may_be_too_large(error: &MethodError) -> bool {
    match error {
        MethodError::Wmi { source, .. } => matches!(
            source.kind(),
            WmiErrorKind::TooLarge | WmiErrorKind::Protocol | WmiErrorKind::Failed
        ),
        MethodError::Refused { code, .. } => matches!(code, 4 | 32773),
        _ => false,
    }
}

/// Tells from a failure why the disk is read in full. Hosts give the number of winerror.h as the
/// code, inside the text, or not at all: a plain "failed" to a question that is well-formed was
/// seen where the id had lost its meaning. Contract: 7 [V?]
fn reason_of(error: &MethodError) -> FullReason {
    let code = error.code().filter(|code| *code >= 0xC03A_0000);
    let code = match error {
        MethodError::Job { failure, .. } => code.or_else(|| code_in(&failure.description)),
        MethodError::Wmi { source, .. } => code.or_else(|| code_in(&source.to_string())),
        _ => code,
    };
    match code {
        // ERROR_VHD_INVALID_CHANGE_TRACKING_ID, ERROR_VHD_MISSING_CHANGE_TRACKING_INFORMATION
        Some(0xC03A_0029 | 0xC03A_0030) => FullReason::IdUnknown,
        // ERROR_VHD_CHANGE_TRACKING_DISABLED
        Some(0xC03A_002A) => FullReason::NotTracked,
        // ERROR_CTLOG_…
        Some(0xC03A_0020..=0xC03A_0024) => FullReason::HostCrashed,
        None if error.code() == Some(32768) && is_answer(error) => FullReason::IdUnknown,
        _ => FullReason::QueryFailed,
    }
}

/// Finds `0xC03A….` in a text.
fn code_in(text: &str) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    let at = lower.find("0xc03a")? + 2;
    u32::from_str_radix(lower.get(at..at + 8)?, 16).ok()
}

/// An answer that makes sense.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    processed_bytes: u64,
    /// Offset and length, ascending, inside the disk.
    ranges: Vec<(u64, u64)>,
}

impl Answer {
    /// Reads an answer. One that makes no sense is as good as none: what a host says wrongly here
    /// would be missing in the point.
    fn of(
        output: &MethodOutput,
        offset: u64,
        len_bytes: u64,
        size_bytes: u64,
    ) -> Result<Self, FullReason> {
        let nonsense = FullReason::QueryFailed;
        let parameters = &output.parameters;
        let processed_bytes: u64 = parameters.number("ProcessedByteLength").ok_or(nonsense)?;
        if processed_bytes == 0 || processed_bytes > len_bytes {
            return Err(nonsense);
        }
        let numbers = |name: &str| {
            let values = parameters.value(name).items().iter();
            let numbers =
                values.map(|value| value.to_integer().and_then(|n| u64::try_from(n).ok()));
            numbers.collect::<Option<Vec<u64>>>().ok_or(nonsense)
        };
        let offsets = numbers("ChangedByteOffsets")?;
        let lengths = numbers("ChangedByteLengths")?;
        if offsets.len() != lengths.len() {
            return Err(nonsense);
        }
        let first = offset.saturating_sub(SLACK);
        let last = offset.saturating_add(len_bytes).saturating_add(SLACK);
        let mut at = first;
        let mut ranges = Vec::with_capacity(offsets.len());
        for (start, len) in offsets.into_iter().zip(lengths) {
            let end = start.checked_add(len).ok_or(nonsense)?;
            if start < at || len == 0 || end > last || start >= size_bytes {
                return Err(nonsense);
            }
            ranges.push((start, end.min(size_bytes) - start));
            at = end;
        }
        Ok(Self {
            processed_bytes,
            ranges,
        })
    }
}

#[cfg(test)]
mod tests {
    use wmi::{Instance, JobFailure, WmiError};

    use super::*;

    const MIB: u64 = 1 << 20;

    fn output(processed: u64, offsets: &[u64], lengths: &[u64]) -> MethodOutput {
        MethodOutput {
            return_value: 0,
            parameters: Instance::new("Out")
                .with("ProcessedByteLength", processed)
                .with("ChangedByteOffsets", offsets.to_vec())
                .with("ChangedByteLengths", lengths.to_vec()),
        }
    }

    #[test]
    fn an_answer_is_read_and_may_stick_out_by_a_granule() {
        let answer = Answer::of(
            &output(8 * MIB, &[0, 4 * MIB, 10 * MIB - 512], &[512, 512, 4096]),
            0,
            10 * MIB,
            10 * MIB,
        )
        .unwrap();
        assert_eq!(
            answer.ranges,
            [(0, 512), (4 * MIB, 512), (10 * MIB - 512, 512)]
        );
        assert_eq!(answer.processed_bytes, 8 * MIB);
        assert!(
            Answer::of(&output(1, &[], &[]), 0, MIB, MIB)
                .unwrap()
                .ranges
                .is_empty()
        );
    }

    #[test]
    fn answers_that_make_no_sense_are_none() {
        for (processed, offsets, lengths) in [
            (0, vec![], vec![]),
            (9 * MIB, vec![], vec![]),
            (MIB, vec![0], vec![]),
            (MIB, vec![0], vec![0]),
            (MIB, vec![512, 0], vec![512, 512]),
            (MIB, vec![0, 256], vec![512, 512]),
            (MIB, vec![u64::MAX], vec![1]),
            (MIB, vec![64], vec![u64::MAX]),
            (MIB, vec![20 * MIB], vec![512]),
            (MIB, vec![0], vec![20 * MIB]),
        ] {
            let output = output(processed, &offsets, &lengths);
            let read = Answer::of(&output, 0, 8 * MIB, 16 * MIB);
            assert_eq!(
                read,
                Err(FullReason::QueryFailed),
                "{offsets:?} {lengths:?}"
            );
        }
    }

    #[test]
    fn questions_grow_smaller_with_long_answers_and_end() {
        let size = 1 << 38;
        let mut questions = Questions::new(size);
        assert_eq!(questions.next(), Ok(Some((0, size))));
        let too_large = MethodError::Wmi {
            method: "x".to_owned(),
            source: WmiError::new(WmiErrorKind::TooLarge, "x"),
        };
        questions.failed(&too_large).unwrap();
        assert_eq!(questions.next(), Ok(Some((0, size / 4))));
        questions.answered(size / 4, 100_000);
        assert_eq!(questions.next(), Ok(Some((size / 4, size / 8))));
        // A host that does a byte at a time is not followed to the end.
        while let Ok(next) = questions.next() {
            assert!(next.is_some());
            questions.answered(1, 0);
        }
        let mut small = Questions::new(MIB);
        assert_eq!(small.failed(&too_large), Err(FullReason::QueryFailed));
    }

    #[test]
    fn a_failure_tells_why_the_disk_is_read_in_full() {
        let job = |text: &str| MethodError::Job {
            method: "x".to_owned(),
            failure: JobFailure {
                job: Box::default(),
                state: 10,
                error_code: 32768,
                description: text.to_owned(),
            },
        };
        let refused = |code| MethodError::Refused {
            method: "x".to_owned(),
            code,
        };
        for (error, reason) in [
            (refused(0xC03A_0030), FullReason::IdUnknown),
            (refused(0xC03A_0029), FullReason::IdUnknown),
            (refused(0xC03A_002A), FullReason::NotTracked),
            (refused(0xC03A_0022), FullReason::HostCrashed),
            (refused(32768), FullReason::IdUnknown),
            (refused(32769), FullReason::QueryFailed),
            (job("failed (0xC03A0030)."), FullReason::IdUnknown),
            (job("failed (0xC03A0007)."), FullReason::QueryFailed),
            (job("0xC03A"), FullReason::IdUnknown),
        ] {
            assert_eq!(reason_of(&error), reason, "{error:?}");
        }
    }
}
