//! A VM that is open for reading.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use block_io::{BlockDevice, ByteRanges, DiskError, ImageFile};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use vm_config::{DiskSlot, VmConfiguration};

use crate::{
    BackupMethod, CheckpointTree, FullReason, ImageSource, LeftOut, Reached, Stage, VmEntry,
};

/// A VM that is open for reading, as it was when it was opened.
#[derive(Debug)]
pub struct VmSource {
    /// What the inventory says of it.
    pub entry: VmEntry,
    /// The typed configuration, where there is one.
    pub configuration: Option<VmConfiguration>,
    /// The disks, numbered from 0 by controller and slot; none where the point holds `tree`.
    pub disks: Vec<DiskSource>,
    /// Image files of the whole checkpoint tree, parents before their children; empty but in mode
    /// [`crate::BackupMode::AllCheckpoints`].
    pub images: Vec<ImageSource>,
    /// What the images are to the VM and its checkpoints.
    pub tree: Option<CheckpointTree>,
    /// Configuration and state files, kept as they are.
    pub files: Vec<FileSource>,
    /// The time that the data is of: when the VM was frozen.
    pub taken: Timestamp,
    /// How the VM is held still.
    pub method: BackupMethod,
    /// The level that was reached, and why.
    pub consistency: Reached,
    /// Disks of the VM that cannot be read here.
    pub left_out: Vec<LeftOut>,
    /// What was done to hold the VM still, in order, and how long each took.
    pub stages: Vec<Stage>,
    /// How long the guest did not run, where it had to be saved or paused.
    pub interruption: Option<Duration>,
    /// What went less well than it should while the VM was frozen.
    pub findings: Vec<crate::Finding>,
}

/// A disk that is open for reading.
pub struct DiskSource {
    /// Position among the VM's disks, from 0.
    pub number: u32,
    /// Where it is attached; `None` without a configuration.
    pub slot: Option<DiskSlot>,
    /// The leaf as the configuration names it (a Windows path), else its path below the folder.
    pub configured_path: String,
    /// File name of the chain's base, which a flattened copy is named after.
    pub base_name: String,
    /// `vhdx`, `vhd` or `raw`.
    pub format: String,
    /// The virtual disk's own id, which checkpoints and copies of it keep; VHD and raw have none.
    pub disk_id: Option<String>,
    /// Files of the chain, leaf first, as this machine sees them.
    pub chain: Vec<String>,
    /// The flattened disk.
    pub device: Arc<dyn BlockDevice>,
    /// What changed since the last point.
    pub changes: DiskChanges,
    /// Fails with `Changed` if any file of the chain was written or replaced since it was opened.
    pub check_unchanged: Box<dyn Fn() -> Result<(), DiskError> + Send + Sync>,
}

impl fmt::Debug for DiskSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskSource")
            .field("number", &self.number)
            .field("chain", &self.chain)
            .finish_non_exhaustive()
    }
}

/// What of a disk may differ from the last point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskChanges {
    /// Only these bytes, the host says.
    Ranges {
        /// The bytes, in the disk's own offsets.
        ranges: ByteRanges,
        /// Number of the disk in the last point that they are counted from.
        previous: u32,
    },
    /// Anything.
    Everything(FullReason),
}

/// What a file is to its VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileRole {
    /// The VM's configuration: `.vmcx` or `.xml`.
    Configuration,
    /// Memory and device state: `.vmrs`, `.bin`, `.vsv`.
    RuntimeState,
    /// Firmware variables and virtual TPM: `.vmgs`.
    GuestState,
    /// Configuration of a checkpoint.
    CheckpointConfiguration,
    /// Memory and device state of a checkpoint.
    CheckpointState,
}

/// A file that is kept as it is.
pub struct FileSource {
    /// What it is to the VM.
    pub role: FileRole,
    /// Path below the VM's own folder with `/` between the parts, such as
    /// `Virtual Machines/<id>.vmcx`. Never absolute, never with `..`.
    pub relative_path: String,
    /// Its bytes.
    pub file: Arc<dyn ImageFile>,
}

impl fmt::Debug for FileSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSource")
            .field("role", &self.role)
            .field("relative_path", &self.relative_path)
            .finish_non_exhaustive()
    }
}
