//! Reading: frames, disk maps, disks.

mod frame_reader;
mod map_reader;
mod map_shape;
mod node_windows;
mod repository_disk;

pub(crate) use map_reader::{Leaf, MapReader, MapRoot};
pub(crate) use map_shape::MapShape;
pub(crate) use node_windows::NodeWindows;
pub use repository_disk::RepositoryDisk;
