//! A VM of a host again: a point, or a part of one, through a [`hyperv_host::RestoreHost`].
//!
//! ```text
//!   plan_host_restore ─► HostRestorePlan: steps, what is destroyed, bytes, room, findings
//!                             │ execute
//!      new files of disks ─► definition files ─► (old VM set aside, or taken away) ─►
//!      (its disks written over where they differ) ─► import ─► what is not needed is removed
//! ```
//!
//! # In place
//!
//! What can be done while the old VM is there is done first. Then it is turned off, a copy of its
//! definition is kept, and it is taken from the host. A disk of one file is written over where it
//! differs: where the host says that it changed since the point, after some of the rest was found to
//! be the same; else where its chunks have other names than the point's. Other disks come as new
//! files, and the old ones go when the new VM is there.
//!
//! # Through the host's writer
//!
//! A point that was made through VSS keeps what the host's own writer needs to take its VM back
//! ([`hyperv_host::WriterRecord`]). The writer finds the VM's files where they were when they were
//! backed up, under the names that they had. So all of them are made first, beside files that have
//! their names, and the writer is told what comes back. Then the writer takes the VM away
//! (`PreRestore`), files change names, the old ones are kept, and the writer registers the VM
//! (`PostRestore`). Only when the VM is there do the old files go.
//!
//! # What a failure leaves
//!
//! | Failed or died | Then |
//! |---|---|
//! | before the old VM was taken away | all that was made is removed |
//! | before its disks were written over | the old VM is registered again from its copy |
//! | while they are | it stays away from the host; the same restore goes on |
//! | after that | the old VM is registered again, with the point's content on its disks |
//! | between PreRestore and PostRestore | the old files have their names again, the old VM is registered again |
//! | after the new VM was made | the restore is done; what is left is removed |
//!
//! Before each of these a session is durable in a file of this machine; the next plan of the same VM
//! reads it.

mod disk_source;
mod execution;
mod existing_disk;
mod file_users;
mod findings;
mod fixed_vhd;
mod giving_way;
mod guest_disk;
mod heard;
mod host_path;
mod in_place_disk;
mod making_vm;
mod many;
mod network;
mod old_definition;
mod old_disks;
mod parts;
mod placing;
mod plan;
mod planning;
mod point_findings;
mod processors;
mod report;
mod request;
mod session;
mod situation;
mod space;
mod staging;
mod steps;
mod taking_back;
mod through_writer;
mod write_rate;
mod writer_places;
mod writer_plan;

pub use many::{VmOutcome, VmPlan, plan_all_latest, restore_all_latest};
pub use plan::{
    Destroyed, DiskMethod, HostRestorePlan, PlannedDisk, PlannedStep, RestoreKind, RestoreMethod,
    SpaceNeed,
};
pub use planning::plan_host_restore;
pub use report::{DiskReport, HostRestoreFailure, HostRestoreObserver, HostRestoreReport};
pub use request::{
    Destination, HostRestoreRequest, NetworkPolicy, RestorePart, StartPolicy, Through,
};
pub use write_rate::{RateSource, WriteRate};
