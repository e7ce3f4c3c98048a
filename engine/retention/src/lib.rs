//! Which restore points of a VM are kept, and why.
//!
//! Pure: no store, no clock. What is known of the points of one VM goes in, one [`Decision`] for
//! each of them comes out, with every reason for which it is kept. Whoever previews, plans or
//! removes asks here, so that all of them say the same. The rules are those of section 10 of
//! `docs/format/repository.md`, told to people in `docs/operate/retention.md`.
//!
//! ```text
//!   points of one VM ─┐
//!   Rules ────────────┼─► decide ─► for each point: kept, because of …; or removed
//!   now ──────────────┘
//! ```
//!
//! # How rules add up
//!
//! Points are looked at from the newest to the oldest, by `last` first, then by hours, days, weeks,
//! months and years. A rule takes the newest point of each of its periods in which no point is kept
//! by a rule before it, until it has as many as it says. So `daily 7, weekly 4` is a week of days
//! and four weeks before those, not four weeks with seven days in them.
//!
//! # What holds
//!
//! * The newest point is kept: by its own time, by the time at which the store got it, and of those
//!   that are not known to be bad.
//! * Without rules nothing is removed.
//! * Pins, holds, notes that are not understood, and times that cannot be right keep a point and
//!   change nothing of what the rules choose.
//! * A point that is known to be bad takes no other's place: the rules are followed once with it
//!   and once without. The same where a point was written more than two days after its own time: a
//!   host that makes up points of past days pushes none out that was written in time.
//! * **Raising a number, or adding a rule, never removes what was kept**, with one exception:
//!   weeks do not lie within months and years. Where `weekly` stands beside `monthly` or `yearly`,
//!   more weeks, or more of what comes before them, may cover a month by another point than its
//!   newest, which `monthly` then does not keep. The month keeps a point all the same. Hours lie
//!   within days, days within weeks, months and years, months within years: there it always holds.
//! * A point that appears or goes may change what is chosen of the others, as time does.
//!
//! # Deliberately missing
//!
//! Which points depend on which: every restore point restores alone.

#![forbid(unsafe_code)]

mod calendar;
mod candidate;
mod decision;
mod rules;

pub use candidate::{Candidate, Hold};
pub use decision::{Decision, Reason, decide};
pub use rules::{Rule, Rules};
