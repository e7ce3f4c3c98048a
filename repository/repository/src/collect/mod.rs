//! Garbage collection (format page, section 11).
//!
//! ```text
//!   list: condemned, runs, forward, index, packs ─► points ─► mark
//!       ├─► delete     what was condemned a grace ago and no point reaches
//!       ├─► rewrite    live frames of sparse packs, and say where they went
//!       ├─► condemn    what nothing reaches and is not young
//!       ├─► index      without what is condemned, few instead of many
//!       └─► forget     condemned objects of which nothing is left
//! ```
//!
//! Nothing is locked: backups go on meanwhile, on hosts that nobody knows of. A collection that
//! dies leaves nothing that the next one does not find.
//!
//! # Memory and requests
//!
//! Each map node is read once, whatever the number of points that share it. A pack takes about 50
//! bytes and a bit for each 64 KiB, a node about 16 bytes.

mod collector;
mod condemned_objects;
mod condemning;
mod deleting;
mod forward_map;
#[cfg(test)]
mod hostile_host_tests;
mod index_rewriter;
mod inventory;
mod long_runs;
mod marker;
mod options;
mod pack_owners;
mod pack_table;
mod parallel;
mod rewriter;
mod visited_nodes;

pub(crate) use condemned_objects::CondemnedObject;
pub(crate) use long_runs::SAY_EVERY;
pub use options::{CollectObserver, CollectOptions, CollectReport, CollectStage};
pub(crate) use options::{GRACE_MIN, LAG_MAX};
