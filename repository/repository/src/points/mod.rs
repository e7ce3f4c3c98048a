//! Many points at once: what is said of them, and how they are listed without being read
//! (section 10).
//!
//! ```text
//!   points/  notes/ ──► roll_up ──► rollups/
//!      │        │                      │
//!      └────────┴── only what is in no roll-up
//!                       ▼              ▼
//!                     Survey ───────► Catalog: summaries with the notes in effect
//! ```
//!
//! A roll-up is a copy of what the objects say, for showing and choosing. What is about to be
//! removed is read itself ([`crate::Repository::remove_point_with_notes`]).

mod catalog;
mod newest;
mod note;
mod point_notes;
mod removal;
mod roll_up;
mod rolling;
mod sealed_by;
mod summary;
mod survey;
#[cfg(test)]
mod survey_tests;

pub use catalog::{Catalog, CatalogPoint};
pub use note::Note;
pub use point_notes::{Hold, PointNotes, Verified};
pub use removal::Removal;
pub use rolling::RollUpReport;
pub(crate) use sealed_by::SealedBy;
pub use summary::PointSummary;
