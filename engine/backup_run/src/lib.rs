//! One backup run: the VMs of a host into a repository.
//!
//! ```text
//!   begin_backup: the host holds the VM still
//!     ├─ prove    some of what the host calls unchanged is read and compared with the last point
//!     ├─ store    files; of each disk what changed, or all of it, and then the report says why;
//!     │           of a checkpoint tree the image files, as they are
//!     ├─ flush    all of it is durable
//!     ├─ seal     the host lets the VM go and gives its tracking ids
//!     ├─ publish  the restore point, with these ids as cursors
//!     └─ commit   what the point before needed of the host is removed
//! ```
//!
//! A VM that fails leaves no point, nothing on the host, and does not keep the others from theirs;
//! a repository that fails ends the run. Whatever was stored before a run was cancelled or died is
//! used by the next. Commands of the person's own may run around it ([`CommandPolicy`]). One VM is read at a time; the next one may be frozen meanwhile.

#![forbid(unsafe_code)]

mod command;
mod disk_backup;
mod foresee;
mod held_still;
mod image_backup;
mod observer;
mod options;
mod plan;
mod previous;
mod progress;
mod proof;
mod report;
mod run;
mod selection;
mod skip;
mod throttle;
mod vm_backup;

pub use command::{
    CommandLine, CommandOutcome, CommandPolicy, CommandReport, CommandStage, OnCommandFailure,
};
pub use foresee::{Foreseen, ForeseenVm, foresee, stored_by_points};
pub use held_still::StageItem;
pub use observer::{RunEvent, RunObserver};
pub use options::BackupOptions;
pub use plan::{PlannedVm, plan_backup};
pub use proof::ProofPolicy;
pub use report::{DiskItem, ImageItem, Outcome, RunFailure, RunItem, RunReport};
pub use run::back_up;
pub use selection::{SelectError, select_vms};
pub use skip::{KeptItem, SkippedItem, VolumeItem};
pub use skip_ranges::{SkipReason, SkipRequest};
