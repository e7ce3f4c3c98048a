//! Images that are attached to the host itself.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// `Msvm_MountedStorageImage` (contract 2.7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountedImage {
    /// Names it.
    pub id: Uuid,
    /// The file, as the host names it.
    pub path: String,
    /// It was attached for reading alone.
    pub read_only: bool,
}
