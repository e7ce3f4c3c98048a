//! The files that disks are made of, on this machine.

mod change;
mod layer_file;
mod merge;
mod new_file;
mod shared_file;
mod volatile_file;

pub(crate) use change::write_ranges;
pub(crate) use layer_file::LayerFile;
pub(crate) use merge::{is_read_elsewhere, merge_into_parent, set_parent};
pub(crate) use new_file::{NewDisk, create_child, create_disk};
pub(crate) use shared_file::share_or_copy;
