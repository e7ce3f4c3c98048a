//! Restore points as one tree of folders and files, for reading.
//!
//! ```text
//!   top ── SQL01 ── 2026-05-01_22-00-05_91bc12 ── C ── Users ── …
//!           │        │                            ├── 3 ── WHY-IT-IS-EMPTY.txt
//!           │        │                            └── WHAT-THIS-IS.txt
//!           └── latest → 2026-05-01_22-00-05_91bc12
//!
//!   a face (mount, WebDAV) ── ViewNode ──► FileView ── job ──► a thread for each open point
//!                                                               └── Guest (guest_reader)
//! ```
//!
//! A mount and a WebDAV server show the same; this is what they have in common. A [`ViewNode`] is a
//! place in the tree, small and to be copied; the view keeps no table of them, so asking it for a
//! million files leaves nothing behind.
//!
//! # Points are opened when somebody enters them
//!
//! An open point costs a reader process and a thread, so at most [`OPEN_POINTS_MAX`] are open. The one
//! that was used longest ago is closed for the next, unless a file of it is open. A node of a point
//! that was closed stays good: a restore point never changes, so its numbers mean the same when it is
//! opened again. One that has other volumes then, by name or origin, is refused.
//!
//! The thread owns the guest and its open files, and does one job after the other: a reader answers
//! one question at a time in any case.
//!
//! # Truth
//!
//! A volume that cannot be read is a folder with a text that says why, and each point has a text that
//! says what it is, how consistent, and in which state its volumes are. A folder that cannot be listed
//! is an error, never an empty folder.
//!
//! # Bounds
//!
//! A folder's list is as long as the guest's reader allows; at most [`OPEN_FILES_MAX`] files of a point
//! are open, each with up to [`READ_AHEAD_BYTES`] that were read ahead.

#![forbid(unsafe_code)]

mod attributes;
mod error;
mod folder_names;
mod guest_thread;
mod listing;
mod open_points;
mod place;
mod point_text;
mod texts;
mod top_folders;
mod view;
mod view_file;
mod view_point;

pub use error::{ViewError, ViewErrorKind};
pub use guest_thread::OPEN_FILES_MAX;
pub use open_points::OPEN_POINTS_MAX;
pub use place::{ViewEntry, ViewFacts, ViewNode};
pub use view::{FileView, POINT_TEXT, VOLUME_TEXT};
pub use view_file::{READ_AHEAD_BYTES, ViewFile};
pub use view_point::{Layout, OpenView, OpenedPoint, ViewPoint};
