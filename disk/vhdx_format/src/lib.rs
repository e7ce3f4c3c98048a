//! VHDX version 2: fixed, dynamic and differencing disks, log replay, journaled writes.

#![forbid(unsafe_code)]

mod bat;
mod block_map;
mod field;
mod header;
mod info;
mod layer;
mod log;
mod metadata;
mod parent_locator;
mod region_table;
mod replayed_file;
mod sector_bitmap;
mod sector_cache;
mod structure;

pub use info::VhdxInfo;
pub use layer::VhdxLayer;
pub use parent_locator::ParentLocator;
