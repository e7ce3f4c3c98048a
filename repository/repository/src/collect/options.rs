//! What a collection is asked for, and what it says.

use std::time::{Duration, SystemTime};

use serde::Serialize;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// The least time from condemning to deleting where others may write, also for which what was
/// deleted is remembered.
pub(crate) const GRACE_MIN: Duration = Duration::from_secs(24 * 60 * 60);
/// By how much listings may lag.
pub(crate) const LAG_MAX: Duration = HOUR;

/// What a collection is to do.
#[derive(Debug, Clone)]
pub struct CollectOptions {
    /// Say what would be done and do nothing.
    pub dry_run: bool,
    /// Time from condemning to deleting; at least 24 hours.
    pub grace: Duration,
    /// What was written less long ago than this may belong to a run that has not published yet.
    pub young: Duration,
    /// Rewrite packs of which less than this part is alive, from 0 (none) to 1.
    pub rewrite_below: f64,
    /// The most bytes that are written for that in one collection.
    pub rewrite_bytes_max: u64,
    /// Nobody else writes to the repository, and nobody will until this is done: what is garbage
    /// is deleted at once. A backup that runs all the same fails.
    pub no_other_writers: bool,
    /// Points of domains whose keys we lack do not end the collection. Their packs are left alone
    /// anyhow.
    pub leave_other_domains: bool,
    /// Threads; 0 takes one for each processor.
    pub workers: usize,
}

impl Default for CollectOptions {
    fn default() -> Self {
        Self {
            dry_run: false,
            grace: GRACE_MIN,
            young: 3 * GRACE_MIN,
            rewrite_below: 0.5,
            rewrite_bytes_max: 64 << 30,
            no_other_writers: false,
            leave_other_domains: false,
            workers: 0,
        }
    }
}

/// What a collection is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CollectStage {
    /// What there is is listed.
    Listing,
    /// Points are walked; counted in points.
    Marking,
    /// Packs are deleted; counted in packs.
    Deleting,
    /// Sparse packs are rewritten; counted in packs.
    Rewriting,
    /// Index objects are written anew; counted in index objects.
    Indexing,
}

/// Hears how a collection gets on. Called from several threads.
pub trait CollectObserver: Sync {
    /// `done` of `total` of a stage are begun.
    fn advanced(&self, stage: CollectStage, done: u64, total: u64);

    /// Returns whether to stop. What was done stays; the next collection goes on.
    fn cancelled(&self) -> bool;
}

/// What a collection found and did; with `dry_run`, what it would have done.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CollectReport {
    /// Whether nothing was done.
    pub dry_run: bool,
    /// Condemned objects of domains that we do not hold, or of nobody: they are passed over.
    pub foreign_condemned: u64,
    /// Points that were walked.
    pub points: u64,
    /// Map nodes that were read.
    pub nodes: u64,
    /// Packs that were listed.
    pub packs: u64,
    /// Bytes of them.
    pub pack_bytes: u64,
    /// Packs of which something is alive.
    pub needed_packs: u64,
    /// Bytes of them.
    pub needed_bytes: u64,
    /// Bytes of them that are alive, estimated to a few per cent.
    pub alive_bytes: u64,
    /// Packs that points need and that are not there: damage.
    pub missing_packs: u64,
    /// Packs that nothing reaches and that are too young to tell.
    pub young_packs: u64,
    /// Bytes of them.
    pub young_bytes: u64,
    /// Packs of other domains, which are left alone.
    pub foreign_packs: u64,
    /// Packs that were condemned now.
    pub condemned_packs: u64,
    /// Bytes of them.
    pub condemned_bytes: u64,
    /// Packs that were condemned before and whose grace is not over.
    pub waiting_packs: u64,
    /// Bytes of them.
    pub waiting_bytes: u64,
    /// When the first of those that wait, or were condemned now, may be deleted.
    pub next_deletion: Option<SystemTime>,
    /// Packs that were condemned and that a point needs all the same.
    pub pardoned_packs: u64,
    /// Packs that were deleted.
    pub deleted_packs: u64,
    /// Bytes of them.
    pub deleted_bytes: u64,
    /// Packs that the store keeps until a later time.
    pub locked_packs: u64,
    /// Forwarding objects that were removed.
    pub deleted_forwards: u64,
    /// Packs whose live frames were moved, which are condemned now.
    pub rewritten_packs: u64,
    /// Bytes of these packs.
    pub rewritten_bytes: u64,
    /// Bytes that were written for it.
    pub moved_bytes: u64,
    /// Index objects that were written.
    pub indexes_written: u64,
    /// Index objects that were removed.
    pub indexes_removed: u64,
    /// What was left for a later collection because the store is full.
    pub store_is_full: bool,
    /// Memory of the marks in bytes.
    pub mark_memory_bytes: u64,
}
