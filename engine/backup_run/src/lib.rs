//! One backup run: the VMs of a host into a repository.
//!
//! For each VM in turn: open it, store its disks and files as streams, see that nothing of it
//! changed meanwhile, publish the restore point. A VM that fails leaves no point and does not keep
//! the others from theirs; a repository that fails ends the run. Whatever was stored before a run
//! was cancelled or died is used by the next.

#![forbid(unsafe_code)]

mod observer;
mod report;
mod run;
mod selection;
mod vm_backup;

pub use observer::{RunEvent, RunObserver};
pub use report::{Outcome, RunFailure, RunItem, RunReport};
pub use run::{BackupOptions, back_up};
pub use selection::{SelectError, select_vms};
