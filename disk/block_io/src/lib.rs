//! Block devices, extents, layers and image files: what every disk in Lifeboat is made of.
//!
//! ```text
//!   ImageFile / WritableFile     bytes of one file, read and written by position
//!        │ a format crate (vhd_format, vhdx_format) interprets it as
//!   DiskLayer                    one file of a chain: data, zero, or "ask the parent"
//!        │ LayeredDisk stacks leaf … base into
//!   BlockDevice                  a whole virtual disk: data, zero, not allocated
//! ```
//!
//! Everything is synchronous and positional, so that several threads can read one device.
//! Sizes and offsets are bytes in `u64`. No call keeps a cursor.
//!
//! # Contract of a range
//!
//! A caller may ask for any range inside `0..size_bytes()`; it need not be aligned to sectors.
//! A range that leaves the device is [`DiskErrorKind::OutOfRange`], never a short read.

#![forbid(unsafe_code)]

mod block_device;
mod byte_ranges;
mod error;
mod extent;
mod folder_flush;
mod image_file;
mod latest_blocks;
mod layered_disk;
mod memory_disk;
mod memory_file;
mod new_clusters;
mod numbered_disk;
mod os_file;
mod place;
mod zeros;

pub use block_device::{BlockDevice, NewImage, WritableDevice, check_range};
pub use byte_ranges::ByteRanges;
pub use error::{DiskError, DiskErrorKind};
pub use extent::{Extent, ExtentKind, LayerExtent, LayerExtentKind};
pub use folder_flush::flush_folder;
pub use image_file::{FileStamp, ImageFile, WritableFile};
pub use latest_blocks::{LatestBlocks, read_blocks};
pub use layered_disk::{DiskLayer, LayeredDisk};
pub use memory_disk::MemoryDisk;
pub use memory_file::MemoryFile;
pub use new_clusters::NewClusters;
pub use numbered_disk::NumberedDisk;
pub use os_file::{OsFile, leave_page_cache};
pub use place::Place;
pub use zeros::is_zero;
