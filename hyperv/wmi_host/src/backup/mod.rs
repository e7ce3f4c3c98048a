//! A backup of one VM (contract 2.1 to 2.3; requirements MODE, CONS, CBT).
//!
//! ```text
//!   begin   settle what dead runs left ─► plan's blocks ─► journal ─► CreateSnapshot ─► name it
//!              ─► frozen disks, what changed of each, files                  FrozenCheckpoint
//!   seal    files unchanged? ─► ConvertToReferencePoint ─► cursors     (tracked)
//!                               DestroySnapshot                       (standard, or it failed)
//!   commit  older reference points of ours removed ─► merged ─► journal closed
//!   abandon checkpoint, or what became of it, removed ─► journal closed
//! ```
//!
//! Everything that is made is in the journal first; whatever fails, [`crate::residue`] settles the
//! entry, at once or in a later run.

mod begin;
pub(crate) mod changes;
pub(crate) mod checkpoint;
pub(crate) mod clean_up;
pub(crate) mod consistency;
mod cursors;
pub(crate) mod freeze;
mod frozen_checkpoint;
mod frozen_disk;
pub(crate) mod kept_files;
pub(crate) mod let_go;
pub(crate) mod link;
pub(crate) mod patience;
mod ready;
pub(crate) mod reference_point;
pub(crate) mod refusal;
pub(crate) mod room_watch;

pub(crate) use begin::{
    begin, journal_of, stop_if_cancelled, with_what_is_left, with_what_is_told,
};
pub(crate) use ready::{Asked, Ready, block_error};
