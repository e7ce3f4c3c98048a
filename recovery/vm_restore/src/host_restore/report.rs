//! What a restore to a host did.

use std::error::Error;
use std::fmt;

use hyperv_host::Finding;
use serde::Serialize;

use super::plan::{DiskMethod, RestoreKind};
use crate::RestoreError;

/// Hears how a restore to a host goes, and may end it.
pub trait HostRestoreObserver: Sync {
    /// A step of a VM's restore begins: a short line such as `writing disk 0`.
    fn step(&self, vm: &str, text: &str) {
        let _ = (vm, text);
    }

    /// Says that this many more bytes of the VM's disks are done, those that needed no writing
    /// included. Called from several threads.
    fn advanced(&self, vm: &str, bytes: u64) {
        let _ = (vm, bytes);
    }

    /// Says whether to stop.
    fn cancelled(&self) -> bool {
        false
    }
}

/// An observer that wants to know nothing.
impl HostRestoreObserver for () {}

/// What was done with a disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiskReport {
    /// Number of the disk in the point.
    pub number: u32,
    /// The file, as the host names it.
    pub path: String,
    /// How it came to hold what the point has.
    pub method: DiskMethod,
    /// Size of the disk in bytes.
    pub size_bytes: u64,
    /// Bytes of the file that was there that were read to compare it.
    pub compared_bytes: u64,
    /// Bytes that were read of the point.
    pub read_bytes: u64,
    /// Bytes that were written.
    pub written_bytes: u64,
}

/// What a restore to a host did.
#[derive(Debug, Clone, Serialize)]
pub struct HostRestoreReport {
    /// What sort of restore it was.
    pub kind: RestoreKind,
    /// Id of the point.
    pub point: String,
    /// The host.
    pub host: String,
    /// The VM's GUID.
    pub identity: String,
    /// The VM's name.
    pub name: String,
    /// The disks.
    pub disks: Vec<DiskReport>,
    /// Bytes of files that were there that were read to compare them.
    pub compared_bytes: u64,
    /// Bytes that were written to disks.
    pub written_bytes: u64,
    /// Files that were removed, as the host names them.
    pub removed: Vec<String>,
    /// It went on with a restore that had died.
    pub resumed: bool,
    /// The VM was started at the end.
    pub started: bool,
    /// What went otherwise than one would wish.
    pub findings: Vec<Finding>,
    /// What the person should know.
    pub notes: Vec<String>,
}

/// A restore to a host that did not come to its end, and what became of what it had done.
#[derive(Debug)]
pub struct HostRestoreFailure {
    /// Why.
    pub error: RestoreError,
    /// What was taken back.
    pub undone: Vec<String>,
    /// What is left, and what to do about it.
    pub left: Vec<String>,
    /// The same restore, asked for again, goes on.
    pub can_go_on: bool,
}

impl fmt::Display for HostRestoreFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for HostRestoreFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}
