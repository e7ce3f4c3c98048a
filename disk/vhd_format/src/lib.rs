//! VHD version 1: fixed, dynamic and differencing disks.
//!
//! The format is that of Microsoft's "Virtual Hard Disk Image Format Specification" 1.0, read the
//! way Hyper-V writes it where the two differ. Everything is big-endian.
//!
//! ```text
//!   fixed          the disk                                                      footer
//!   dynamic and    footer's copy · header · table · [bitmap · block] … gap ····· footer
//!   differencing                      │ parent locators lie anywhere between
//! ```
//!
//! # Reading
//!
//! [`VhdLayer::open`] reads footer, header and parent locators; the block table is read a page at
//! a time, a sector bitmap when it is asked for. What is allocated is never larger than the part
//! of the file that it is filled from. The rules that files by real programs ask for:
//!
//! * The footer at the end counts. Where it is bad, the copy at the start does, and a note says so.
//! * The size is the footer's current size; the product of the geometry for `vpc ` and `qemu`.
//! * A dynamic disk's bitmap is not consulted, a differencing disk's is, highest bit first.
//! * A locator's "data space" is never relied upon: Windows writes bytes, the paper says sectors.
//! * The parent is known by its unique id alone.
//!
//! # Writing
//!
//! [`create`] makes a new file through [`block_io::NewImage`]: threads write disjoint ranges with
//! no lock around the writes, blocks are laid out as Windows 8 and later do (data 4 KiB aligned),
//! and the footers are written last, after all else is durable, so that an unfinished file is not
//! an image.
//!
//! # What is missing
//!
//! Changing an existing VHD in place: the format has no log, and nothing here needs it.

#![forbid(unsafe_code)]

mod block_table;
mod check;
mod create_options;
mod dynamic_header;
mod field;
mod footer;
mod geometry;
mod new_blocks;
mod new_vhd;
mod parent_locator;
mod sector_bitmap;
mod vhd_info;
mod vhd_layer;

pub use check::{Problem, check};
pub use create_options::{CreateKind, CreateOptions, ParentLink};
pub use footer::VhdKind;
pub use geometry::Geometry;
pub use new_vhd::{MAX_SIZE_BYTES, create};
pub use parent_locator::{LocatorKind, ParentLocator};
pub use vhd_info::VhdInfo;
pub use vhd_layer::VhdLayer;
