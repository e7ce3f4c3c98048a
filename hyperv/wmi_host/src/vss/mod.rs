//! A backup of VMs through volume snapshots (contract 5; requirements VSS, SAVE, MODE-04 to MODE-19).
//!
//! ```text
//!   by_writer   gather ─► components, volumes ─► journal ─► prepare ─► snapshot     Attempt
//!                 ▲              one VM fails: without it, again; a set fails: again, later
//!                 └──────────────────────────────────────────────────────────────── make_set
//!   by_saving   journal ─► save ─► snapshot ─► bring back
//!                                                  │
//!   SnapshotSet ◄──────────────────────────────────┘   one for a VM, or for all of a run (RunSets)
//!     └─► HeldVm ─► the writer's checkpoint merged? ─► right leaf of each disk ─► FrozenVolumes
//!                                                      through SnapshotView alone
//!   the last VM ends ─► set_succeeded … complete ─► delete_set;  any failure ─► abort
//! ```
//!
//! Nothing is read but what lies on volume snapshots. What a writer may make of a VM, a checkpoint
//! or a file, and what a VM was doing before it was saved, are in the journal before the service is
//! asked; [`crate::residue`] settles them, at once or in a later run. Snapshots need no settling:
//! they go with the requester.

mod attempt;
mod attempt_failure;
mod auto_recovery;
mod by_saving;
mod by_writer;
mod candidate;
mod checkpoints;
mod chosen;
mod component;
mod failure;
mod frozen_volumes;
mod guest_part;
mod held_vm;
mod image_names;
mod image_tree;
mod kept_tree;
mod leaf;
mod make_set;
mod parent_paths;
mod power;
mod provider;
mod reading;
mod run_sets;
mod snapshot_set;
mod snapshot_view;
mod stopwatch;
mod volumes;
mod writer_verdict;

pub(crate) use auto_recovery::{is_auto_recovery, remove_auto_recovery, those_there};
pub(crate) use by_saving::{begin_by_saving, save_instead};
pub(crate) use by_writer::{begin_by_writer, goes_through_writer, service_of};
pub(crate) use failure::vss_failure;
pub(crate) use power::give_back;
pub(crate) use run_sets::RunSets;
pub(crate) use writer_verdict::failed_writer;
