//! A Hyper-V host as backup and restore see it.
//!
//! A host lists its VMs and opens one of them for reading. What stands behind it, a folder today,
//! WMI and a simulated host later, is chosen by the program alone.

#![forbid(unsafe_code)]

mod error;
mod host;
mod source;

pub use error::{HostError, HostErrorKind};
pub use host::{DiskEntry, Finding, HypervHost, Inventory, Severity, VmEntry};
pub use source::{DiskSource, FileRole, FileSource, VmSource};
