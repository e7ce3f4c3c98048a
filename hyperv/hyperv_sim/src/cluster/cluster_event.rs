//! What happened in a cluster.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::PowerState;

/// Something that happened in a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterEvent {
    /// When.
    pub at: Timestamp,
    /// Where: the node's name.
    pub node: String,
    /// The VM that it happened to.
    pub vm: Option<Uuid>,
    /// What.
    pub kind: ClusterEventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClusterEventKind {
    /// A VM became a role.
    RoleAdded,
    /// A VM is no role any more.
    RoleRemoved,
    /// A VM moved to the event's node, as it was.
    Moved {
        /// The node that had it.
        from: String,
    },
    /// A role was taken offline through the cluster: the VM was saved, or was off.
    TakenOffline,
    /// A role was brought online through the cluster.
    BroughtOnline,
    /// A VM that should run does not, and it was not the cluster that stopped it.
    Surprise {
        /// What it is instead; `None`: it is gone from its node.
        power: Option<PowerState>,
    },
    /// After a surprise or a crash: started again where it was.
    Restarted,
    /// After a surprise or the loss of a node: started again on the event's node.
    FailedOver {
        /// The node that had it.
        from: String,
    },
    /// A node runs again.
    NodeUp,
    /// A node does not run any more.
    NodeDown,
    /// A node takes no new roles.
    NodePaused,
    /// The event's node coordinates a volume now.
    VolumeMoved {
        /// The volume's name, such as `Volume1`.
        volume: String,
    },
    /// A backup keeps a snapshot of a volume from now on.
    VolumeBackupBegan {
        /// The volume's name.
        volume: String,
    },
    /// It does not any more.
    VolumeBackupEnded {
        /// The volume's name.
        volume: String,
    },
}
