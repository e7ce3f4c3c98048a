//! What a stream is made of, and what a run did with it.

use std::ops::AddAssign;

use crate::format::{Entry, EntryKind};
use crate::stream::StreamStatistics;

/// What the workers of a stream have counted.
#[derive(Default, Clone, Copy)]
pub(crate) struct StreamTally {
    /// What was read and stored; and of the chunks that were looked at, what they are.
    pub(crate) run: StreamStatistics,
    /// What the chunks that were taken over are.
    kept: StreamStatistics,
    /// What the chunks that were looked at were before.
    replaced: StreamStatistics,
    /// Read although the source calls it unchanged, since the repository has lost it.
    pub(crate) mended_bytes: u64,
}

impl StreamTally {
    /// Counts a chunk that was looked at, or else taken over.
    pub(crate) fn add(&mut self, len_bytes: u64, looked_at: bool, old: Option<Entry>, new: Entry) {
        if !looked_at {
            *content(&mut self.kept, new.kind()) += len_bytes;
            return;
        }
        *content(&mut self.run, new.kind()) += len_bytes;
        if let Some(old) = old {
            *content(&mut self.replaced, old.kind()) += len_bytes;
        }
    }

    /// Returns how much was looked at and not taken over.
    pub(crate) fn looked_at_bytes(&self) -> u64 {
        let run = &self.run;
        run.data_bytes + run.zero_bytes + run.not_allocated_bytes + run.skipped_bytes
    }

    /// Returns the statistics of a stream of which every leaf was visited.
    pub(crate) fn of_all(self) -> StreamStatistics {
        let mut all = self.run;
        all += self.kept;
        all
    }

    /// Returns the statistics of a stream of which some leaves were visited: the others are as
    /// they were.
    pub(crate) fn after(self, before: &StreamStatistics) -> StreamStatistics {
        let mut after = self.run;
        for kind in [
            EntryKind::Stored,
            EntryKind::Zero,
            EntryKind::NotAllocated,
            EntryKind::Skipped,
        ] {
            let (mut before, mut replaced) = (*before, self.replaced);
            let stayed = content(&mut before, kind).saturating_sub(*content(&mut replaced, kind));
            let now = content(&mut after, kind);
            *now = now.saturating_add(stayed);
        }
        after
    }
}

impl AddAssign for StreamTally {
    fn add_assign(&mut self, part: Self) {
        self.run += part.run;
        self.kept += part.kept;
        self.replaced += part.replaced;
        self.mended_bytes += part.mended_bytes;
    }
}

/// Returns the count of bytes of this kind.
fn content(statistics: &mut StreamStatistics, kind: EntryKind) -> &mut u64 {
    match kind {
        EntryKind::Stored => &mut statistics.data_bytes,
        EntryKind::Zero => &mut statistics.zero_bytes,
        EntryKind::NotAllocated => &mut statistics.not_allocated_bytes,
        EntryKind::Skipped => &mut statistics.skipped_bytes,
    }
}
