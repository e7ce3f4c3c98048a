//! Removing restore points by rule.
//!
//! ```text
//!   Catalog ─► plan_prune ─► PrunePlan: each point, and every reason for which it stays
//!                              │ (shown to people, whoever previews)
//!                              ▼
//!   the points themselves ─► planned anew ─► removed is what both plans remove,
//!                                             and what the point and its notes allow just then
//! ```
//!
//! Which points go is [`retention`]'s to say; this crate asks it twice. The first time listings
//! tell, which somebody with a domain's key can forge; the second time every point and note of a VM
//! that is about to lose some is read itself. Removing points frees no space by itself: collecting
//! garbage does.
//!
//! A crash between a point and its notes leaves notes of nothing, which the next run removes.

#![forbid(unsafe_code)]

mod freed;
mod plan;
mod prune;
mod rules;

pub use plan::{PlannedPoint, PlannedVm, PrunePlan, plan_prune};
pub use prune::{PruneObserver, PruneOutcome, PruneReport, prune};
pub use rules::{UnknownTimeZone, VmRules, rules_of};
