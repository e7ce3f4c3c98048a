//! A Hyper-V host, real or simulated, through its WMI.

#![forbid(unsafe_code)]

mod backup;
mod cursor;
mod disk_files;
mod facts;
mod findings;
mod host_checks;
mod host_failure;
mod inventory;
mod journal;
mod plan;
mod residue;
mod wmi_host;

pub use host_failure::host_error;
pub use residue::{Residue, find_residue, fix_residue};
pub use wmi_host::{WmiHost, WmiHostOptions};
