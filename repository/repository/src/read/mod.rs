//! Reading: frames, disk maps, disks.

mod forwards;
mod frame_reader;
mod map_reader;
mod map_shape;
mod node_windows;
mod pack_reader;
mod repository_disk;
mod skipped_ranges;

pub(crate) use forwards::{Forwards, PLACES_MAX, Trail, is_lost, moved_to};
pub(crate) use frame_reader::{OpenFrame, plain_len};
pub(crate) use map_reader::{Leaf, MapReader, MapRoot};
pub(crate) use map_shape::MapShape;
pub(crate) use node_windows::NodeWindows;
pub(crate) use pack_reader::index_objects;
pub use repository_disk::RepositoryDisk;
