//! Copies restore points from one repository to another.
//!
//! The two share nothing: other keys, other packs, perhaps another chunk size. So a point is
//! copied as it was backed up, as block devices: each stream is opened in the source and stored in
//! the target. What makes it cheap is that both sides know what changed:
//!
//! ```text
//!   source   point k ──compare maps──► point k+1        only nodes that differ are read
//!               │            │
//!               │            └── changed ranges ──┐     only these chunks are decrypted
//!               ▼                                 ▼
//!   target   point k ────────────store_changed──► point k+1
//! ```
//!
//! *k* is the newest point of the VM that both repositories have, or an older one. Without any, all
//! of the stream is read, and chunks that the target has are recognised by name.
//!
//! # What a copy is
//!
//! The same point: same id, same times, same words, same bytes under every stream, and what was
//! left out on purpose is left out. Two things differ: the statistics of what was read and stored
//! are the copy's own, and the source's cursors are gone, because two repositories that followed
//! one host's tracking would remove each other's reference points.
//!
//! # What a crash leaves
//!
//! Whole points. The next copy finds them by their ids and goes on; what was stored for the point
//! that was under way is used again.
//!
//! # Errors
//!
//! A point that cannot be read is told and passed over, since the others are worth having. A target
//! that fails ends the copy.

#![forbid(unsafe_code)]

mod copy;
mod plan;
mod report;
mod stream_copy;

pub use copy::{CopyObserver, copy_points};
pub use plan::{CopyPlan, CopySelection, PlannedPoint, plan_copy};
pub use report::{CopyItem, CopyOutcome, CopyReport};
