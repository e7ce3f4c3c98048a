//! Files out of restore points: found, compared and taken out.
//!
//! ```text
//!   restore point ── disks (vm_restore) ──► Guest (guest_reader) ── volumes ──► GuestFileSystem
//!                                                                                   │
//!   PointPath ── parse ──► GuestPath ── Tree::find, Tree::matching ──► Found ── walk ──► Entry
//!                                                                                   │
//!   FileTarget: a folder, a tar archive, a zip archive  ◄── take_out ───────────────┘
//! ```
//!
//! Over several points the same is compared: [`changed_ranges`] says what of the disks differs,
//! [`DiskChanges`] what that is of the volumes, [`TreeDiff`] walks two trees in step, [`History`] gathers
//! the versions of a file, and [`volume_churn`] maps what changed to files.
//!
//! Nothing is mounted, restored or written besides what is taken out: a file is read out of the
//! repository's packs, through the disk, the volume and its file system, when it is asked for.
//!
//! # Bounds
//!
//! A tree is walked folder by folder with a stack of its own, of a bounded number of entries that
//! share what leads to them; a folder that appears twice (which no sound file system has) is entered
//! once. A thread walks ahead of what is written by two batches of entries, of about a megabyte each;
//! a long file's content is three pieces of a megabyte at any time.
//!
//! # What a guest cannot do
//!
//! Names are checked twice: by `guest_files`, which knows no slash and no `..`, and by the target for
//! what its own system does not allow. Links are made, never followed. What exists is not written
//! over unless that was asked for, and no two files of a run come to one place. Owners, set-id bits
//! and the attributes that a kernel goes by (`security.*`, `trusted.*`) come to a folder of this
//! machine only where they were asked for, and a file has them, and its name, only when it is whole.

#![forbid(unsafe_code)]

mod ahead_disk;
mod churn;
mod content;
mod diff;
mod disk_changes;
mod file_filter;
mod look_ahead;
mod name_pattern;
mod point_guest;
mod point_path;
mod search;
mod several_names;
mod take_out;
mod take_out_report;
mod target;
mod tree;
mod versions;
mod walk;

pub use churn::{ChurnedFile, VolumeChurn, volume_churn};
pub use diff::{
    Change, Changed, DiffItem, Reading, Sameness, TreeDiff, VolumeFiles, VolumeMatch, VolumePair,
    match_volumes, volume_files,
};
pub use disk_changes::{DiskChanges, VolumeChanges, VolumeLayout, changed_ranges};
pub use file_filter::FileFilter;
pub use name_pattern::NamePattern;
pub use point_guest::{OwnNames, open_disks, own_names};
pub use point_path::{GuestPath, PathError, PointPath, VolumeName};
pub use take_out::{TakeOutObserver, take_out};
pub use take_out_report::TakeOutReport;
pub use target::{
    ArchiveFile, ArchiveOut, FileTarget, FolderOptions, FolderTarget, Kept, Lost, TarTarget,
    TargetError, ToStream, ZipTarget, ZstdOut,
};
pub use tree::{Found, Tree, TreeError, outermost};
pub use versions::{History, Version};
pub use walk::{Entry, Walk, WalkItem};
