//! VMDK, monolithic sparse: new images, for restores to VMware and QEMU.
//!
//! Written from VMware's "Virtual Disk Format 5.0" (technical note of 2011), sections "Hosted
//! Sparse Extents" and "The Descriptor File". Everything is little-endian, and counts sectors of
//! 512 bytes.
//!
//! ```text
//!   sector 0    header                                        written last
//!   1 to 20     descriptor, as text
//!   21          redundant grain directory, its grain tables   every table has its place from the
//!   then        grain directory, its grain tables             start; those of nothing stay holes
//!   then        grains: data, 64 KiB each, in the order of the writes
//! ```
//!
//! # Writing
//!
//! [`create`] makes a new file through [`block_io::NewImage`]: threads write disjoint ranges with
//! no lock around the writes ([`block_io::NewClusters`]). What was not written, or only with zeros,
//! is in no table, so it stays unallocated. The header is written after all else is durable: before
//! that the file begins with zeros, and is no VMDK to anybody.
//!
//! Memory: 4 bytes for each 64 KiB that hold anything, or 64 MiB for each TiB of data.
//!
//! # What is missing
//!
//! Reading: `disk_image` says so to whoever tries. Other kinds of VMDK: what ESXi keeps on its own
//! volumes is made of this one by `vmkfstools -i`. Sectors of 4096 bytes, which the format cannot
//! express.

#![forbid(unsafe_code)]

mod descriptor;
mod layout;
mod new_vmdk;

pub use descriptor::Adapter;
pub use layout::MAX_SIZE_BYTES;
pub use new_vmdk::{CreateOptions, create};
