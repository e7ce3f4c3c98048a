//! Long content that the program takes from the disks itself.
//!
//! ```text
//!   program                              reading process
//!   where do the bytes of a file lie? ──►
//!             ◄── runs: disk, offset, length │ zeros │ (no more: ask me for the bytes)
//!   reads the disks
//! ```
//!
//! Through the reading process every byte crosses a pipe twice, which costs more than getting it out
//! of the repository. Where a file's bytes lie on the disks as they are, the reader says where, once
//! for many of them, and the program reads them. A reader that lies gains nothing: it may say of any
//! bytes of the disks that they are the file's in either way, and a run that leaves its disk ends the
//! conversation.

use std::sync::{Mutex, PoisonError};

use guest_files::{FileError, GuestFile, PlainRun};

/// Most runs that are told at once, and kept of an open file: 64 MiB of a striped volume, 32 KiB here.
const RUNS_MAX: usize = 1024;
/// Where bytes are not plain, nothing is asked of so many behind them.
const NOT_PLAIN_BYTES: u64 = 16 << 20;

/// Gathers where the bytes of a file lie from `from` on, up to the first that do not lie anywhere as
/// they are.
pub(crate) fn gather(file: &dyn GuestFile, from: u64) -> Result<Vec<PlainRun>, FileError> {
    let mut runs: Vec<PlainRun> = Vec::new();
    let mut at = from;
    while runs.len() < RUNS_MAX && at < file.size_bytes() {
        let run = match file.plain_at(at) {
            Ok(Some(run)) => run,
            Ok(None) => break,
            Err(error) if runs.is_empty() => return Err(error),
            // It is told when it is come to.
            Err(_) => break,
        };
        at = at.saturating_add(run.len_bytes.max(1));
        runs.push(run);
    }
    Ok(runs)
}

/// Returns whether runs can be true: none is empty, each lies where the disks `have` bytes, all together
/// are no longer than any file.
pub(crate) fn are_possible(runs: &[PlainRun], have: impl Fn(u32, u64, u64) -> bool) -> bool {
    let mut sum = 0_u64;
    let is_possible = |run: &PlainRun| {
        sum = sum.saturating_add(run.len_bytes);
        let lies = |(disk, offset)| have(disk, offset, run.len_bytes);
        run.len_bytes > 0 && sum < u64::MAX && run.on_disk.is_none_or(lies)
    };
    runs.len() <= RUNS_MAX && runs.iter().all(is_possible)
}

/// What was told last of an open file.
#[derive(Default)]
pub(crate) struct KnownRuns(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// Each with where in the file it begins, in order, without gaps.
    runs: Vec<(u64, PlainRun)>,
    /// What the reader has to be asked for.
    not_plain: std::ops::Range<u64>,
}

impl KnownRuns {
    /// Returns the run that begins at `at` of a file, cut out of what is known or `ask`ed for; `None`
    /// where the bytes are to be had from the reader.
    pub(crate) fn run_at(
        &self,
        at: u64,
        ask: impl FnOnce() -> Result<Vec<PlainRun>, FileError>,
    ) -> Result<Option<PlainRun>, FileError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.not_plain.contains(&at) {
            return Ok(None);
        }
        if let Some(run) = known.find(at) {
            return Ok(Some(run));
        }
        let mut begin = at;
        let runs = ask()?.into_iter().map(|run| {
            let placed = (begin, run);
            begin = begin.saturating_add(run.len_bytes);
            placed
        });
        known.runs = runs.collect();
        if known.runs.is_empty() {
            known.not_plain = at..at.saturating_add(NOT_PLAIN_BYTES);
        }
        Ok(known.find(at))
    }
}

impl Known {
    fn find(&self, at: u64) -> Option<PlainRun> {
        let behind = self.runs.partition_point(|(begin, _)| *begin <= at);
        let (begin, run) = self.runs.get(behind.checked_sub(1)?)?;
        let skip = at - begin;
        let len_bytes = run.len_bytes.checked_sub(skip).filter(|len| *len > 0)?;
        Some(PlainRun {
            // Within the disk, as was seen when it was told.
            on_disk: run
                .on_disk
                .map(|(disk, offset)| (disk, offset.saturating_add(skip))),
            len_bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{empty, sink};
    use std::sync::Arc;

    use block_io::MemoryDisk;

    use super::*;
    use crate::reader_process::Conversation;

    fn run(on_disk: Option<(u32, u64)>, len_bytes: u64) -> PlainRun {
        PlainRun { on_disk, len_bytes }
    }

    #[test]
    fn runs_that_leave_the_disks_are_not_believed() {
        let disks = [100, 50].map(|len| Arc::new(MemoryDisk::new(vec![0; len])) as _);
        let conversation = Conversation::over(empty(), sink(), None, disks.to_vec(), || false);
        let have = |disk, offset, len_bytes| conversation.has(disk, offset, len_bytes);
        let possible = |runs: &[PlainRun]| are_possible(runs, have);
        assert!(possible(&[
            run(Some((0, 0)), 100),
            run(None, u64::MAX - 150),
            run(Some((1, 50 - 1)), 1)
        ]));
        for wrong in [
            run(Some((0, 1)), 100),
            run(Some((1, 51)), 1),
            run(Some((2, 0)), 1),
            run(Some((0, u64::MAX)), 2),
            run(Some((0, 0)), 0),
            run(None, 0),
        ] {
            assert!(!possible(&[wrong]), "{wrong:?}");
        }
        assert!(!possible(&[run(None, u64::MAX), run(None, 1)]));
        assert!(!possible(&vec![run(None, 1); RUNS_MAX + 1]));
    }

    #[test]
    fn a_run_is_cut_out_of_what_was_told_and_only_what_was_not_is_asked_for() {
        let known = KnownRuns::default();
        let told = || Ok(vec![run(Some((3, 1000)), 50), run(None, 50)]);
        let never = || -> Result<Vec<PlainRun>, FileError> { panic!("it was told") };
        let some = |at: Result<Option<PlainRun>, FileError>| at.unwrap().unwrap();
        assert_eq!(some(known.run_at(200, told)), run(Some((3, 1000)), 50));
        assert_eq!(some(known.run_at(249, never)), run(Some((3, 1049)), 1));
        assert_eq!(some(known.run_at(250, never)), run(None, 50));
        // Behind them, and before them.
        assert_eq!(known.run_at(300, || Ok(Vec::new())).unwrap(), None);
        assert_eq!(known.run_at(301, never).unwrap(), None);
        assert_eq!(some(known.run_at(0, told)), run(Some((3, 1000)), 50));
    }
}
