//! A reference point: a moment that changes are counted from.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Consistency;

/// A reference point of a VM, of the RCT kind (contract 2.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferencePoint {
    /// Its GUID.
    pub id: Uuid,
    /// When it was made.
    pub created: Timestamp,
    /// How consistent the checkpoint was that it was made of.
    pub consistency: Consistency,
    /// The tracked disks: `VirtualDiskIdentifiers` and `ResilientChangeTrackingIdentifiers`.
    pub disks: Vec<ReferencePointDisk>,
}

/// A disk of a reference point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferencePointDisk {
    /// `InstanceID` of the VM's disk at that time: an attachment, not a file.
    pub instance_id: String,
    /// `rctX:…`
    pub tracking_id: String,
}
