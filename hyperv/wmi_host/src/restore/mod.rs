//! Restoring to a host: VMs made, taken away and changed (contract 4.1).
//!
//! ```text
//!   import   journal ─► planned VM ─► names and folders ─► checkpoints ─► disks ─► adapters
//!                                      ─► validated ─► realised ─► journal closed
//!   create   journal ─► VM under a name of ours ─► hardware ─► disks ─► adapters ─► its own name
//!   settle   journal of a restore that died ─► what it made: ours · undecided · nothing
//! ```
//!
//! # Answers that get lost
//!
//! What may be asked twice is asked again. Of what may not, it is looked up whether it took place:
//! a planned VM is told by the reference that the host gave, by its job, or by being the only new
//! one; a VM that is made directly by its name, which says the run until all else is done. Where it
//! cannot be told, the journal's entry stays, and [`settle_restore`] looks again.
//!
//! # What is removed
//!
//! A planned VM that the entry names, and a VM that is half made. A VM that is made stays: nobody may
//! have heard of it, so its entry stays as well, and the same restore, run again, takes it for its
//! own. To take it away would merge the files of its checkpoints.

mod adapters;
mod attach;
mod changed_settings;
mod changes_since;
mod checkpoint_disks;
mod checkpoints;
mod create;
mod definition;
mod entry;
mod features;
mod findings;
mod hardware;
mod import;
mod paths;
mod planned_vm;
mod power;
mod realize;
mod residue;
mod restore_host;
mod settle;
mod switches;
mod system;
mod target;
mod through_writer;
mod unregister;
mod work;

pub(crate) use definition::definition_id;
pub(crate) use findings::role_not_updated;
pub(crate) use residue::restore_residue;
pub(crate) use settle::settle_restore;
