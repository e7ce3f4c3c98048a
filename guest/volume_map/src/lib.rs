//! What lies where on a guest's disk.
//!
//! ```text
//!   BlockDevice ── sector 0 ──► GPT: header, entries ──┐
//!                     │   └───► MBR: four entries,     ├─► partitions ── first 4 KiB each ──► content
//!                     │              extended chain  ──┘
//!                     └───────► no table: the whole disk is one volume, or nothing is known
//! ```
//!
//! Specifications: UEFI 2.10 §5 (GPT and protective MBR); MBR types as Windows uses them; boot
//! sectors of FAT (Microsoft's FAT specification §3), exFAT §3.1, NTFS, ReFS; ext superblock
//! (kernel documentation, `ext4/super.rst`), XFS and LVM2 by their magic numbers. LDM is told by MBR
//! type 0x42 and the two GUIDs of its GPT partitions; what its database says is not read.
//!
//! # Reading
//!
//! A disk costs at most [`READS_MAX`] reads of at most 64 KiB each: the table, then at most
//! two reads for each of the first [`PARTITIONS_MAX`] partitions. Nothing is written.
//!
//! # Errors
//!
//! Those of the device. What is read is never an error: a table that makes no sense ends where it
//! stops to make sense, and [`VolumeMap::scheme`] says what was found.
//!
//! # What is missing
//!
//! LDM's and LVM's own tables, md, Storage Spaces; the backup GPT at the disk's end.

#![forbid(unsafe_code)]

mod content;
mod gpt;
mod mbr;
mod reader;
mod volume_map;

pub use content::Content;
pub use volume_map::{PARTITIONS_MAX, Partition, READS_MAX, Role, Scheme, VolumeMap, volume_map};
