//! Opens any disk image or chain from its path; creates, converts and checks images.
//!
//! ```text
//!   path ── open ──► leaf ── parent locators ──► parent ── … ──► base     inside the bounds
//!                      └────────── DiskImage: one BlockDevice ──────┘
//!                                        │ copy
//!   path ── create ──► NewImageFile: name.lifeboat-partial ── finish ──► name
//! ```
//!
//! # Opening
//!
//! [`open`] tells the format by content. A name is a claim: what is called `.vhdx` and is none is
//! damaged, and never read as raw. Every place that a file names for its parent is tried (relative
//! path, absolute paths by their longest equal tail, the same name beside the child), and the
//! format's own linkage decides: a VHDX's data write GUID, a VHD's unique id. Nothing is opened
//! that lies, links resolved, outside the bounds. A path from a host is never a path of this
//! machine. Bounds are of two kinds:
//!
//! | [`OpenOptions`] | Files lie | An absolute path is |
//! |---|---|---|
//! | `below` a folder | in it, wherever the host had them | matched by its longest equal tail with all files there ([`PathIndex`]) |
//! | `on_host` | where the host has them, on several drives | looked up, component by component ([`HostPaths`], [`DriveMap`], [`OwnPaths`]); no drive is ever listed |
//!
//! [`open_files`] stacks files that somebody else has found, such as those of a restore point.
//!
//! Files are opened for reading alone. [`DiskImage::check_unchanged`] tells, after the reading,
//! whether anybody changed them meanwhile.
//!
//! # Making
//!
//! [`create`] never replaces a file, writes under another name, and gives the file its name when
//! it is whole and durable. A run that dies leaves a `.lifeboat-partial` file, which the next run takes
//! over once nobody holds it. No file is ever made sparse in the NTFS sense, which Hyper-V refuses.
//!
//! [`copy`] is the one copier, for conversion and for restore: threads, no reading of what holds
//! nothing, no writing of zeros.
//!
//! # Errors
//!
//! All are [`block_io::DiskError`]; callers decide on its kind.
//!
//! # What is missing
//!
//! qcow2 and VMDK are made, for restores elsewhere, and not opened: [`ImageFormat::opens`]. They and
//! VHD sets are refused by name. Merging and compacting come when they are needed.

#![forbid(unsafe_code)]

mod bounds;
mod chain;
mod check;
mod convert;
mod copy;
mod description;
mod differencing;
mod disk_image;
mod extent_map;
mod host_paths;
mod image_format;
mod image_layer;
mod new_content;
mod new_image_file;
mod new_raw;
mod output_file;
mod own_paths;
mod parent_search;
mod path_index;
mod raw_layer;
mod root_folder;
mod windows_path;
mod write_behind;
mod zero_run;

pub use check::{CheckReport, FileCheck, Problem, Severity, check};
pub use convert::convert;
pub use copy::{CopyObserver, CopyReport, copy};
pub use description::{ChainFile, Description};
pub use differencing::{DifferencingOptions, create_differencing};
pub use disk_image::{DiskImage, OpenOptions, contained, open, open_files};
pub use extent_map::{ExtentMap, MappedExtent, map};
pub use host_paths::{DriveMap, HostPaths};
pub use image_format::ImageFormat;
pub use new_image_file::{NewImageFile, NewImageOptions, create};
pub use own_paths::OwnPaths;
pub use path_index::{PathIndex, PathLookup};
pub use raw_layer::RawLayer;
pub use windows_path::WindowsPath;
