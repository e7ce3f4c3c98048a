//! A Hyper-V host, real or simulated, through its WMI.

#![forbid(unsafe_code)]

mod cursor;
mod disk_files;
mod facts;
mod findings;
mod host_failure;
mod inventory;
mod plan;
mod wmi_host;

pub use host_failure::host_error;
pub use wmi_host::{WmiHost, WmiHostOptions};
