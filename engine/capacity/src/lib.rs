//! How much a run will add, how a repository grows, and when it will be full.
//!
//! Pure: no store, no clock. What points stored goes in, figures come out.
//!
//! ```text
//!   what each point stored ─┬─► growth ─► forecast: full on …
//!                           └─► estimate ◄─ what the next run would read
//!                                  └─► shortfalls ◄─ quotas, what is used, free space
//! ```
//!
//! # What is counted
//!
//! What the repository uses is the size of its packs, whoever needs them. What a VM uses is what
//! its points stored when they were made: data that another VM had stored before costs it nothing,
//! and what it stored first counts as its own, also where others share it by now.
//!
//! # Growth
//!
//! The bytes that points stored, by day, over the last 30 days, added up; then the median of what
//! came in each week of these, so that neither a full backup on each Sunday nor one large day is a
//! trend. With less than two weeks of history it is the median of the slopes between any two days.
//! First backups of a VM are left out: they come once. What was pruned is not seen, so the figure
//! is for a repository that is pruned as it was.
//!
//! # Deliberately missing
//!
//! Promises. An estimate is what the past says; where there is none it says so ([`Basis`]).

#![forbid(unsafe_code)]

mod estimate;
mod forecast;
mod growth;
mod shortfall;
mod stored;

pub use estimate::{Basis, DiskRead, Estimate, estimate};
pub use forecast::{Forecast, forecast};
pub use growth::{Growth, growth};
pub use shortfall::{Limit, Shortfall, shortfall};
pub use stored::Stored;
