//! qcow2 version 3: new images, for restores to QEMU and libvirt.
//!
//! Written from QEMU's own specification, `docs/interop/qcow2.rst`. Everything is big-endian.
//!
//! ```text
//!   cluster 0   header                                       written last
//!   from 1      L1 table: one entry for each 512 MiB of the disk
//!   then        data, 64 KiB each, in the order of the writes
//!   then        L2 tables: one for each entry of L1 that holds anything
//!   then        refcount blocks: every cluster of the file has one user
//!   end         refcount table
//! ```
//!
//! # Writing
//!
//! [`create`] makes a new file through [`block_io::NewImage`]: threads write disjoint ranges with
//! no lock around the writes ([`block_io::NewClusters`]). What was not written, or only with zeros,
//! is in no table, so it stays unallocated. The header is written after all else is durable: before
//! that the file begins with zeros, and is no qcow2 to anybody.
//!
//! Memory: 4 bytes for each 64 KiB that hold anything, or 64 MiB for each TiB of data.
//!
//! # What is missing
//!
//! Reading: `disk_image` says so to whoever tries. Backing files, compressed clusters, encryption,
//! snapshots and changes in place: nobody restores into them.
//!
//! Why not a crate: those that write qcow2 bring an asynchronous runtime, and a file of their own
//! that is written in place, where a restore wants many threads and a file that is no image until
//! it is whole.

#![forbid(unsafe_code)]

mod new_qcow2;
mod refcounts;

pub use new_qcow2::{MAX_SIZE_BYTES, create};
