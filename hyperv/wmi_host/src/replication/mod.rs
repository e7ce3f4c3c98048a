//! Hyper-V Replica and backups (contract 1.1, 7; requirements RVM).
//!
//! ```text
//!   primary   the guest runs: as any VM; changes go on to the other host meanwhile
//!   replica   nothing runs: crash-consistent at best, and refused while changes are applied
//!
//!   pause     journal ─► RequestReplicationStateChangeEx(suspend) ─► frozen ─► resume
//!                 └── the run dies ──► the next run, or doctor --fix, resumes
//! ```
//!
//! Hosts refuse a backup of a replica on purpose in some states, and say so in a text in their own
//! language. Those states are read, waited for as patiently as the request says, and told.

mod findings;
mod pause;
mod times_seen;

pub(crate) use findings::{of_plan, stands_in_the_way};
pub(crate) use pause::{pause, resume};
pub(crate) use times_seen::TimesSeen;
