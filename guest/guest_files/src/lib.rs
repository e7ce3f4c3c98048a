//! The files of a guest's volume, whatever file system it has; for reading alone.
//!
//! ```text
//!   BlockDevice (a volume) ── open_file_system ──► GuestFileSystem ── root, node, list, find
//!                                   │                     └── open ──► GuestFile ── read_at, extents
//!                                   └── or says by name why it cannot be read
//! ```
//!
//! A volume is a block device (`volume_map` cuts disks into volumes). Each file system is one
//! implementation of [`GuestFileSystem`]; the code above knows none of them.
//!
//! # Truth
//!
//! A volume that was copied while its guest wrote has a journal with work in it. That work is done in
//! memory, or [`State`] says that it was not; nobody is shown a stale file as if it were the last one.
//! What a reader does not know (a compression, an encryption, a file system's feature) is an error by
//! name ([`FileErrorKind::Unreadable`]), never other bytes.
//!
//! # Bounds
//!
//! Everything is read from guests, so everything may be hostile: no panic, no endless loop, and no
//! allocation that a field of the volume alone decides. Listing calls back for each entry; a file is
//! read by position into the caller's buffer.
//!
//! # Names
//!
//! [`FileName`] is bytes: as stored where names are bytes (ext, XFS, Btrfs), and UTF-8 where they are
//! UTF-16 (NTFS, FAT, exFAT), in which a lone surrogate is three bytes as in WTF-8.

#![forbid(unsafe_code)]

mod btrfs;
mod cluster_chain;
mod cluster_file;
mod dos_time;
mod entry_node;
mod error;
mod exfat;
mod ext;
mod fat;
mod file_name;
mod file_system;
mod node;
mod ntfs;
mod open;
mod posix;
mod stream_attribute;
mod volume;
mod xfs;

pub use btrfs::{DeviceOf, device_of};
pub use error::{FileError, FileErrorKind};
pub use file_name::FileName;
pub use file_system::{
    About, Coding, FileExtent, GuestFile, GuestFileSystem, PlainRun, State, Visit,
};
pub use node::{
    Attribute, Details, Link, LinkKind, Node, NodeId, NodeKind, Owner, Stream, Time, Times,
};
pub use open::{OpenOptions, open_file_system, open_file_system_over};
pub use stream_attribute::{stream_attribute, stream_attribute_name};
