//! What a store must do to hold a repository, as cases that run against the store itself.
//!
//! The contract is [`object_store::ObjectStore`] and section 2 of `docs/format/repository.md`.
//! `lifeboat repo test` and the tests of every store run the same suite:
//!
//! ```text
//!   run_suite(store, second handle) ── permissions ──► one case after another ──► cleaning up
//!                                     (refused: stop)        CaseReport each
//!   measure_rates(store) ──► Rates ──► Fitness for restoring files, for running VMs
//! ```
//!
//! All objects lie under a prefix of their own, `lifeboat-test-<random>/`, which no repository
//! uses, and are removed at the end; where a lock keeps them, the report says how many and until
//! when they stay.
//!
//! # Errors
//!
//! A case never fails as a call: what a store did wrong is told in its [`CaseReport`].
//!
//! # Deliberately missing
//!
//! Judging a store by its speed: rates are told, and only [`Fitness`] says what they are good for.
//! Durability across a power cut cannot be seen from outside; `store_faults` tests it for folders.

#![forbid(unsafe_code)]

mod case;
mod clock;
mod creating;
mod fitness;
mod large_objects;
mod listing;
mod locking;
mod names;
mod permissions;
mod place;
mod rates;
mod reading;
mod removing;
mod suite;

pub use case::{CaseOutcome, CaseReport};
pub use creating::replaces_nothing;
pub use fitness::{Fitness, Use};
pub use rates::{Rates, RatesOptions, measure_rates};
pub use suite::{SuiteOptions, SuiteReport, run_suite};
