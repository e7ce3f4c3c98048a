//! A Hyper-V host, real or simulated, through its WMI.

#![forbid(unsafe_code)]

mod cursor;
mod facts;
mod host_failure;
mod wmi_host;

pub use host_failure::host_error;
pub use wmi_host::{WmiHost, WmiHostOptions};
