//! Which bytes of a guest's disk a backup may leave out.
//!
//! ```text
//!   BlockDevice ── volume_map ──► partitions ── signatures ──► one reader for each file system
//!                                                                │
//!        SkipPlan { ranges, a verdict for each volume } ◄── free space, page file, … or a refusal
//! ```
//!
//! | Volume | What | Kept whole where |
//! |---|---|---|
//! | NTFS | page files, hibernation file, free clusters | marked dirty; log not closed and not flushed; free space: shadow copies kept |
//! | ext2, ext3, ext4 | free blocks | journal to be replayed, errors, not closed, unknown feature |
//! | XFS | free extents | log not clean, unknown feature |
//! | Btrfs | space in no chunk, free space in chunks | log tree, several devices, unknown feature |
//! | swap | all but its first page | a hibernated system is in it |
//! | LVM, md, LDM, Storage Spaces, BitLocker, LUKS, ReFS, FAT | nothing | always |
//!
//! # What must never happen
//!
//! That something is left out which is needed. So there is one rule: in doubt it is kept, and the
//! doubt has a name ([`RefusalKind`]). Structures are taken for what they say only with their
//! checksums, their counts and their places right; a volume that could be two things is neither.
//! Partition tables, gaps between volumes, and the first and last 64 KiB of each volume are never
//! left out.
//!
//! # A disk that was frozen while it was in use
//!
//! What a journal holds is not yet in the structures: a block that looks free may be part of a file
//! as soon as the journal is replayed. So a journal must be closed, or
//! ([`SkipRequest::flushed`]) the guest must have flushed it for the backup.
//!
//! # Reading
//!
//! Allocation bitmaps and trees are read once, 1 MiB at a time at most; 1 TiB of NTFS takes 32 MiB.
//! What is read may be anything: no number in it leads to a panic, an endless loop or more than
//! bounded memory. At most 2^19 ranges are kept; where a disk has more the short ones are not left
//! out.
//!
//! # Errors
//!
//! Those of the device while the partition table is read. What goes wrong in a volume is a
//! [`Refusal`].
//!
//! # What is missing
//!
//! Replay of journals in memory; file systems on LVM, md and in encrypted volumes; files of swap in
//! a Linux file system; FAT.

#![forbid(unsafe_code)]

mod bits;
mod btrfs;
mod ext;
mod fields;
mod found_ranges;
mod ntfs;
mod refusal;
mod request;
mod signatures;
mod skip_plan;
mod swap;
mod verdict;
mod volume;
mod xfs;

pub use refusal::{Refusal, RefusalKind};
pub use request::{SkipReason, SkipRequest};
pub use skip_plan::{SkipPlan, skip_plan};
pub use verdict::VolumeVerdict;
