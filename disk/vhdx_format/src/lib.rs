//! VHDX version 2: fixed, dynamic and differencing disks, log replay, journaled writes.

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
mod metadata;
mod new_blocks;
mod new_vhdx;
mod parent_locator;
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
