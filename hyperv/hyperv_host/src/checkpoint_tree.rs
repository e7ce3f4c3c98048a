//! A VM with all its checkpoints.

use std::fmt;
use std::sync::Arc;

use block_io::ImageFile;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use vm_config::DiskSlot;

/// Which image is what to a VM and its checkpoints. Kept in the point as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointTree {
    /// The checkpoints that people made, parents before their children.
    pub checkpoints: Vec<CheckpointNode>,
    /// The checkpoint that the VM's present state derives from.
    pub current: Option<String>,
    /// The disks of the VM as it is: its active leaves.
    pub active: Vec<TreeDisk>,
}

/// A checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointNode {
    /// Its GUID in lower case.
    pub id: String,
    /// The name that people gave it.
    pub name: String,
    /// The checkpoint that it derives from.
    pub parent: Option<String>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Size of the memory that it keeps, in bytes; `None`: none.
    pub memory_bytes: Option<u64>,
    /// Its disks.
    pub disks: Vec<TreeDisk>,
}

/// A disk of the VM or of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeDisk {
    /// Where it is attached.
    pub slot: Option<DiskSlot>,
    /// The leaf as the configuration in the point names it (a Windows path).
    pub configured_path: String,
    /// The image that it is: [`ImageSource::relative_path`].
    pub image: String,
}

/// An image file of a checkpoint tree, kept as it is.
pub struct ImageSource {
    /// Path below the VM's own folder with `/` between the parts, such as
    /// `Virtual Hard Disks/web.avhdx`. Never absolute, never with `..`.
    pub relative_path: String,
    /// The file as the host names it, which is how children name their parent.
    pub configured_path: String,
    /// `relative_path` of its parent; `None`: it is a base.
    pub parent: Option<String>,
    /// `vhdx` or `vhd`.
    pub format: String,
    /// The virtual disk's own id, where it has one.
    pub disk_id: Option<String>,
    /// Its bytes.
    pub file: Arc<dyn ImageFile>,
}

impl fmt::Debug for ImageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageSource")
            .field("relative_path", &self.relative_path)
            .field("parent", &self.parent)
            .finish_non_exhaustive()
    }
}
