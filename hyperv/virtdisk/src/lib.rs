//! Windows' own virtual-disk interface, `virtdisk.dll`: what a disk is, and what changed on it.
//!
//! ```text
//!   VirtDisk::load ──▶ open_read_only(path) ──▶ OpenDisk::info           sizes, id, tracking
//!        │                                          └───── query_changes  ranges since an id
//!        └── Absent: another system, or a Windows without change tracking
//! ```
//!
//! The library is looked for when the program runs, never linked: the program starts on a Windows
//! that has none, and on other systems this crate is the same interface with nothing behind it.
//!
//! # Model
//!
//! A disk is opened for reading only (`OPEN_VIRTUAL_DISK_VERSION_2` with `ReadOnly`), which works
//! while its VM runs. Nothing is attached and no bytes of the guest are read here. Offsets are
//! those of the virtual disk; the answer for a frozen disk covers its parents.
//!
//! [`OpenDisk::query_changes`] answers for a part: callers go on at
//! `offset_bytes + processed_bytes` until they have what they want. What the library answers is
//! checked: an answer that makes no progress, or whose ranges are impossible, is an error, and the
//! way out is to read the disk in full.
//!
//! # Errors
//!
//! [`VirtDiskError`] says which disk, what was asked and Windows' number; callers decide on its
//! kind. Every failure of a change query has the same cure, a full read, but another reason.
//!
//! Sources: virtdisk.h and winerror.h of the Windows SDK. Deliberately missing: attaching,
//! creating, changing and merging disks, and VHD Sets.

#![deny(unsafe_code)]

mod absent;
#[cfg(any(windows, test))]
mod answer;
mod changes;
mod disk_info;
#[cfg(not(windows))]
mod elsewhere;
#[cfg(windows)]
mod native;
mod virt_disk_error;

pub use absent::Absent;
pub use changes::Changes;
pub use disk_info::{ChangeTracking, DiskInfo};
#[cfg(not(windows))]
pub use elsewhere::{OpenDisk, VirtDisk};
#[cfg(windows)]
pub use native::{OpenDisk, VirtDisk};
pub use virt_disk_error::{VirtDiskError, VirtDiskErrorKind};
