//! A node of a cluster.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Profile;

/// A node of a cluster, as the cluster knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterNode {
    /// Its name.
    pub name: String,
    /// Which Windows Server it is.
    pub profile: Profile,
    /// Whether it takes part.
    pub state: NodeState,
    /// Whether its WMI can be reached from outside. The cluster knows nothing of that.
    pub is_reachable: bool,
    /// When its Windows started; another time means that it crashed meanwhile.
    pub booted: Option<Timestamp>,
}

/// Whether a node takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeState {
    /// It does.
    Up,
    /// It does not run.
    Down,
    /// It keeps what it has and takes nothing new.
    Paused,
}

impl NodeState {
    /// Returns `MSCluster_Node.State`. Contract: 6 \[M\]
    pub fn number(self) -> u32 {
        match self {
            Self::Up => 0,
            Self::Down => 1,
            Self::Paused => 2,
        }
    }
}
