//! VHDX version 2: fixed, dynamic and differencing disks, log replay, journaled writes.
//!
//! The format is that of MS-VHDX (sections are given where they are implemented), read the way
//! Windows, QEMU and Disk2vhd write it where they differ from it. Everything is little-endian.
//!
//! ```text
//!   0         1 MiB    2 MiB      3 MiB                  whole MiB, in any order
//!   ├─────────┼────────┼──────────┼─────────────────┬────┬────────┬───────────────┬──────┬─ …
//!   identifier  log      metadata   BAT: an entry     │   block    sector bitmap    block
//!   2 headers   a ring   size,      for each block,   │            a bit for each
//!   2 region    of 4 KiB sectors,   and after each    │            sector of up to
//!   tables      sectors  parent     chunk one for     │            2^23
//!                                   its bitmap
//! ```
//!
//! Windows and [`create`] lay a file out like this; a reader finds everything through the tables.
//!
//! # Reading
//!
//! [`VhdxLayer::open`] trusts nothing before it has checked it: identifier, headers (the good one
//! with the greater number), log, region table (the first good copy), metadata. A log that is not
//! empty is replayed into a *patch* that lies over the file; the file never changes. BAT and
//! sector bitmaps are read when they are asked for, one 4 KiB sector at a time, through a cache of
//! 4 MiB. Payload goes straight from the file to the caller's buffer: one positional read for each
//! block.
//!
//! | State of a block | in a base disk | in a differencing disk |
//! |---|---|---|
//! | not present | zero | the parent |
//! | undefined, zero, unmapped | zero | zero |
//! | fully present | the file | the file |
//! | partially present | damage | each sector: the file or the parent, as its bit says |
//!
//! What is tolerated because real files have it: two identical headers of one number, regions that
//! are not marked as required, bytes behind the last whole MiB, a last block that the end of the
//! file cuts (zero behind it), bitmap entries in the "partially present" state.
//!
//! [`check`] lists every defect of the structure.
//!
//! # Making
//!
//! [`create`] makes a [`NewVhdx`]: threads write disjoint ranges with no lock around the writes.
//! Tables, then a flush, then the headers, make it an image; before that the file is none. So it
//! needs no log.
//!
//! # Changing
//!
//! [`VhdxDisk`] writes data in place and metadata through the log:
//!
//! ```text
//!   open ──> clean ──first write──> changing ──close──> clean
//!              ^                       │ crash
//!              └────replay at open─────┘
//! ```
//!
//! A flush makes payload durable, then logs all changed metadata as one entry, so a crash leaves
//! each block as it was before or after. Sectors of a differencing disk are shown only after their
//! data was written. The first write gives the disk a new data-write GUID, which cuts it off from
//! its children: never write to a parent in use.
//!
//! # Errors
//!
//! All are [`block_io::DiskError`]: `Corrupt` where the bytes break a rule, `Unsupported` where the
//! file needs what we lack, `OutOfRange` for the caller's own mistakes, `Poisoned` after a failed
//! write. Every allocation is bounded by constants or by the file's real length; every number from
//! the file is checked before it becomes a divisor, a length or an offset.
//!
//! # What is missing
//!
//! Resizing, trimming blocks of an existing file, and changing a parent locator. Space that a crash
//! leaked at the end of a file is not reused; [`check`] reports it. Chains are stacked by the crate
//! `disk_image`.

#![forbid(unsafe_code)]

mod bat;
mod block_map;
mod check;
mod claims;
mod create_options;
mod field;
mod guid_source;
mod header;
mod info;
mod journal;
mod layer;
mod log;
mod log_to_file;
mod metadata;
mod new_blocks;
mod new_vhdx;
mod parent_locator;
mod pending_metadata;
mod region_table;
mod replayed_file;
mod sector_bitmap;
mod sector_cache;
mod structure;
mod vhdx_device;
mod vhdx_disk;

pub use check::{Problem, Severity, check};
pub use create_options::{CreateKind, CreateOptions, ParentLink};
pub use guid_source::GuidSource;
pub use info::VhdxInfo;
pub use layer::VhdxLayer;
pub use new_vhdx::{NewVhdx, create};
pub use parent_locator::ParentLocator;
pub use vhdx_device::VhdxDevice;
pub use vhdx_disk::VhdxDisk;
