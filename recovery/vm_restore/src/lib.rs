//! Brings disks and whole VMs back from a restore point.
//!
//! A disk is copied from the repository into a new image; every chunk of it is authenticated and
//! its name computed anew on the way. A VM is a plan first: which files it will make, and what is
//! changed in the configuration. Nothing that exists is replaced, but by a restore in place whose
//! plan says so; the configuration comes last, and what a failed restore made is removed again.
//!
//! # A disk of a point
//!
//! [`open_disk`] is the one way to it, whatever the point holds:
//!
//! ```text
//!   latest state      stream ── RepositoryDisk ───────────────────────────────► PointDisk
//!   all checkpoints   images ── RepositoryDisk as a file ── chain, as the ────► PointDisk
//!                                                            point names parents
//! ```
//!
//! # Layout
//!
//! ```text
//!   FOLDER/Virtual Hard Disks/<disk>.vhdx      flattened disks
//!   FOLDER/Virtual Machines/<id>.vmcx …        configuration and state, for Hyper-V's import
//!   FOLDER/Checkpoint files/…                  configurations of checkpoints, to look at
//!   FOLDER/lifeboat-restore.json               which disk was attached where
//! ```
//!
//! A point of the latest state holds it flattened, so the checkpoints themselves do not come
//! back; their configurations would name disks that do not exist, and are kept out of the folders
//! that an import reads.
//!
//! A point of all checkpoints comes back as it was: every image file byte for byte in the same
//! place to the others, so that children find their parents, and the checkpoints' configurations
//! in `Snapshots`. One name is not kept: what VSS has called `…-AutoRecovery.avhdx` becomes
//! `…_<GUID>.avhdx` (requirement VSS-19), and the configurations name that.
//!
//! # To a host
//!
//! [`plan_host_restore`] makes a VM of a host of a point, through [`hyperv_host::RestoreHost`]: new,
//! beside the one that is there, or in its place, where disks are written over where they differ.
//! Parts of a point come back likewise ([`RestorePart`]), and many VMs at once
//! ([`restore_all_latest`], of those that [`NewestPoints`] chooses). What a restore has begun is in a session on this machine, so that the
//! same restore, asked for again, goes on; the module's page has the table of what a failure leaves.
//!
//! # For another hypervisor
//!
//! [`plan_elsewhere`] restores the disks alone, flat and in one format, and on demand a libvirt
//! domain with them ([`libvirt_domain`]). No file of Hyper-V's own comes along.
//!
//! ```text
//!   FOLDER/<disk>.qcow2 …          FOLDER/<VM>.xml, .sh, .txt          FOLDER/lifeboat-restore.json
//! ```

#![forbid(unsafe_code)]

mod checkpoint_tree;
mod damaged_disk;
mod disk_restore;
mod elsewhere;
mod error;
mod host_restore;
mod image_names;
mod new_files;
mod newest_points;
mod offer;
mod point_disk;
mod repository_image;
mod target_path;
mod vm_plan;
mod vm_restore;

pub use checkpoint_tree::checkpoint_tree;
pub use damaged_disk::{DamagedDisk, ZeroedRanges};
pub use disk_restore::{DiskRestoreReport, restore_disk};
pub use elsewhere::{
    DomainFiles, DomainOrder, ElsewhereOrder, ElsewherePlan, PlannedImage, plan_elsewhere,
};
pub use error::RestoreError;
pub use host_restore::{
    Destination, Destroyed, DiskMethod, DiskReport, HostRestoreFailure, HostRestoreObserver,
    HostRestorePlan, HostRestoreReport, HostRestoreRequest, NetworkPolicy, PlannedDisk,
    PlannedStep, RateSource, RestoreKind, RestoreMethod, RestorePart, SpaceNeed, StartPolicy,
    Through, VmOutcome, VmPlan, WriteRate, plan_all_latest, plan_host_restore, restore_all_latest,
};
pub use newest_points::{NewestPoints, VmFilter};
pub use offer::{Needs, Offer, needs, offers};
pub use point_disk::{PointDisk, check_tree, disk_count, open_disk};
pub use vm_plan::{PlannedFile, VmRestorePlan, plan_vm_restore};
pub use vm_restore::VmRestoreReport;
