//! A flat model of a disk that every format is compared with, and an image file that crashes on
//! demand.
//!
//! | Item | What |
//! |---|---|
//! | [`ModelDisk`] | the disk as one vector, and which sectors were ever written |
//! | [`DiskOp`], [`disk_ops`] | random operations on a disk, for property tests |
//! | [`CountedDisk`] | a disk that remembers how it was read |
//! | [`CrashFile`], [`Loss`] | a file that remembers every write and flush, can show what a crash after any of them leaves, and can fail any one of its operations |
//! | [`ChangedDisk`], [`SparseBytes`] | an image with changes, for readers of hostile disks |
//! | [`NewFormat`] | what every format of new images is held to, with `qemu-img` as its reader |
//! | [`independent_tools`] | programs and sample files that a machine may lack |
//! | [`fat_volume`] | a volume with one file, by hand |
//! | [`VolumeImage`], [`noise`] | a volume in a file, which real tools make and fill |
//! | [`WriteHistory`] | which bytes may stand on a disk after such a crash |
//!
//! Everything here is for tests: it panics where something is wrong, with a message that says what.

#![forbid(unsafe_code)]

mod changed_disk;
mod counted_disk;
mod crash_file;
mod disk_op;
mod fat_volume;
pub mod independent_tools;
mod model_disk;
mod new_image_cases;
mod volume_image;
mod write_history;

pub use changed_disk::{ChangedDisk, SparseBytes};
pub use counted_disk::CountedDisk;
pub use crash_file::{CrashFile, Loss};
pub use disk_op::{DiskOp, disk_ops, pattern};
pub use fat_volume::fat_volume;
pub use model_disk::ModelDisk;
pub use new_image_cases::NewFormat;
pub use volume_image::{VolumeImage, noise};
pub use write_history::WriteHistory;

/// Turns an offset of a test's disk, which lies in memory, into an index.
fn index(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
