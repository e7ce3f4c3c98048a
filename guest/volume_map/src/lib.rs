//! What lies where on a guest's disks.
//!
//! ```text
//!   one disk     BlockDevice ── sector 0 ──► GPT: header, entries ──┐
//!                     │            └───► MBR: four entries,         ├─► partitions ── first 4 KiB ──► content
//!                     │                       extended chain      ──┘
//!                     └────────────────► no table: the whole disk is one volume, or nothing is known
//!
//!   all disks    partitions ──► md members ──► arrays ──────────────┐
//!                    │     └──► LVM2 physical volumes ──► groups ───┼─► volumes, each a BlockDevice
//!                    └────────► LDM disks ──► disk groups ──────────┘   (or why there is none)
//! ```
//!
//! [`volume_map`] looks at one disk and is quick; [`guest_volumes`] puts together what a VM's disks hold.
//!
//! Specifications: UEFI 2.10 §5 (GPT and protective MBR); MBR types as Windows uses them; boot
//! sectors of FAT (Microsoft's FAT specification §3), exFAT §3.1, NTFS, ReFS; ext superblock
//! (kernel documentation, `ext4/super.rst`), XFS and LVM2 by their magic numbers; what `lvm`, `md` and
//! `ldm` say in their own modules.
//!
//! # Reading
//!
//! [`volume_map`] costs at most [`READS_MAX`] reads of at most 64 KiB each: the table, then at most
//! two reads for each of the first [`PARTITIONS_MAX`] partitions. [`guest_volumes`] costs about a dozen
//! small reads for each partition, and the metadata of groups. Reading a volume reads of its disks
//! what was asked for and nothing else; a disk's zeros stay known. Nothing is written.
//!
//! # Names
//!
//! Partitions are numbered over all disks, whatever they hold, so that a name stays what it is while
//! nobody divides the disks anew. What is made of partitions has its own name: `vg-root` (as below
//! `/dev/mapper`), `md0`, `Volume1`; a partition of such a volume `md0.1`.
//!
//! # Errors
//!
//! Those of the device. What is read is never an error: a table that makes no sense ends where it
//! stops to make sense, and [`VolumeMap::scheme`] says what was found. [`guest_volumes`] has no errors:
//! what is in the way of a volume's files is its [`Obstacle`], with what it is and what a person can do.
//!
//! # Truth
//!
//! Wrong data is worse than none. Checksums are checked where there are any; an array or mirror is read
//! from members that have seen its last change; a member that is not there is named. What was copied
//! while its guest wrote shows what the guest would find at its next start.
//!
//! # What is missing
//!
//! Parity (RAID-4, 5, 6), raid10's layouts other than "near", LVM's thin, cached and snapshot volumes,
//! Storage Spaces, arrays by firmware (IMSM, DDF), BSD's labels.

#![forbid(unsafe_code)]

mod composed;
mod content;
mod first_sectors;
mod gpt;
mod guest_volume;
mod guest_volumes;
mod ldm;
mod lvm;
mod mbr;
mod md;
mod obstacle;
mod partition_table;
mod reader;
mod search;
mod signature;
mod superblock;
mod volume_map;

pub use content::Content;
pub use guest_volume::{GuestDisk, GuestVolume, GuestVolumes, Open, Origin, WindowsId};
pub use guest_volumes::{guest_volumes, guest_volumes_opened};
pub use obstacle::{Obstacle, ObstacleKind};
pub use volume_map::{PARTITIONS_MAX, Partition, READS_MAX, Role, Scheme, VolumeMap, volume_map};
