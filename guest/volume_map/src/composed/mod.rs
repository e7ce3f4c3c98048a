//! Devices that are made of parts of other devices.
//!
//! ```text
//!   DevicePart    a range of one device             partitions, extents, members without their superblock
//!   Joined        one after the other               LVM linear, md linear, LDM spanned
//!   Striped       chunk by chunk in turn            LVM striped, md raid0 (one zone), LDM striped
//!   Mirrored      the same on each                  md raid1, LVM raid1 and mirror, LDM mirrored
//!   NearCopies    chunks in turn, each some times   md raid10, layout "near"
//! ```
//!
//! What is asked of one of them is asked of the parts it lies in, byte for byte: nothing is read twice
//! and nothing that was not asked for. Extents are passed through, so what a disk knows to be zero stays
//! known.

mod device_part;
mod joined;
mod mirrored;
mod near_copies;
mod runs;
mod striped;
#[cfg(test)]
mod tests;
mod zeros;

pub(crate) use device_part::device_part;
pub(crate) use joined::joined;
pub(crate) use mirrored::mirrored;
pub(crate) use near_copies::near_copies;
pub(crate) use striped::{Stripes, striped};
pub(crate) use zeros::zeros;
