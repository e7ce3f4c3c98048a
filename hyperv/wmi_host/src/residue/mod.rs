//! What runs leave behind, and how it is found and removed.
//!
//! ```text
//!   journal entry of a dead run ─┐
//!   the VM as it is now ─────────┴─► examine: ours · undecided · nothing
//!                                        │
//!                                      settle: removed · needed · left, with a finding
//! ```
//!
//! One way of settling serves all: the end of a run that went well, one that was given up, the
//! next backup of the VM, and `lifeboat doctor --fix`. It can be done again at any time, from
//! wherever the last try got to.
//!
//! Ours is what the journal names by id, what carries our mark, and what can be nothing else.
//! Whatever may be another program's is reported and not touched.

mod examine;
mod find;
mod findings;
mod orphans;
mod settle;
mod whose;

pub use find::{Residue, find_residue, fix_residue};
pub(crate) use find::{residue_of_node, used_files};

pub(crate) use examine::{Found, MergeState, find_checkpoint, merge_state};
pub(crate) use findings::{merge_goes_on, node_not_looked_at, owed_elsewhere};
pub(crate) use settle::{Fate, Left, settle, undo};
pub(crate) use whose::Asker;
